// Command cri makes one call to a container runtime's CRI socket:
//
//	cri SOCKET METHOD < request.json
//
// Request and answer are the JSON form of the messages of k8s.io/cri-api.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
	_ "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("expected SOCKET METHOD"))
	}
	answer, err := call(os.Args[1], protoreflect.Name(os.Args[2]))
	if err != nil {
		fail(err)
	}
	fmt.Println(protojson.Format(answer))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func call(socket string, name protoreflect.Name) (protoreflect.ProtoMessage, error) {
	method := find(name)
	if method == nil {
		return nil, fmt.Errorf("the CRI has no method %s", name)
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return nil, err
	}
	request := dynamicpb.NewMessage(method.Input())
	if err := protojson.Unmarshal(text, request); err != nil {
		return nil, err
	}
	connection, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	answer := dynamicpb.NewMessage(method.Output())
	path := fmt.Sprintf("/%s/%s", method.Parent().FullName(), name)
	return answer, connection.Invoke(context.Background(), path, request, answer)
}

func find(name protoreflect.Name) protoreflect.MethodDescriptor {
	for _, service := range []protoreflect.FullName{"runtime.v1.RuntimeService", "runtime.v1.ImageService"} {
		descriptor, err := protoregistry.GlobalFiles.FindDescriptorByName(service)
		if err != nil {
			continue
		}
		if found, is := descriptor.(protoreflect.ServiceDescriptor); is {
			if method := found.Methods().ByName(name); method != nil {
				return method
			}
		}
	}
	return nil
}
