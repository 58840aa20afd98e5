// Command cnigc has the plugins of a network collect garbage, as a container runtime does that knows of these
// attachments, each CONTAINER/INTERFACE. cnitool cannot name any.
//
//	CNI_PATH=... NETCONFPATH=... cnigc NETWORK [ATTACHMENT]...
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
)

func main() {
	if err := collect(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func collect(network string, attachments []string) error {
	list, err := libcni.LoadNetworkConf(os.Getenv("NETCONFPATH"), network)
	if err != nil {
		return err
	}
	valid := []types.GCAttachment{}
	for _, attachment := range attachments {
		container, ifname, _ := strings.Cut(attachment, "/")
		valid = append(valid, types.GCAttachment{ContainerID: container, IfName: ifname})
	}
	plugins := libcni.NewCNIConfig(filepath.SplitList(os.Getenv("CNI_PATH")), nil)
	return plugins.GCNetworkList(context.Background(), list, &libcni.GCArgs{ValidAttachments: valid})
}
