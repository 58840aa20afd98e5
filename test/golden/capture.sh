#!/bin/sh
# Writes requests/ and replies/ anew: what iproute2, bridge and ethtool send, as strace sees it, and what the
# kernel answers to our dumps, beside what those tools print at the same moment. Everything happens in a network
# namespace of its own.
#
# Needs root or user namespaces, and the Debian packages strace, iproute2, ethtool and linux-libc-dev.
set -eu
cd "$(dirname "$0")"
bun=$(realpath ../../node_modules/.bin/bun)

if [ "${1:-}" != inside ]; then
  if [ "$(id -u)" = 0 ]; then exec unshare -n "./capture.sh" inside; fi
  exec unshare -Urn "./capture.sh" inside
fi

kernel="Linux $(uname -r | cut -d- -f1)"
iproute2=$(ip -V | sed -E 's/.*(iproute2-[^,]*).*/\1/')
ethtool="ethtool-$(ethtool --version | sed -E 's/.* //')"
trace=$(mktemp)
trap 'rm -f "$trace"' EXIT

# capture FILE KIND COMMAND...: runs the command and keeps its last message of the kind, also if the kernel
# refuses it: bridges without VLAN filtering are common.
capture() {
  file=$1 kind=$2
  shift 2
  case $1 in ethtool) tools=$ethtool ;; *) tools=$iproute2 ;; esac
  strace -qq -e trace=sendmsg,sendto -e write=all -o "$trace" "$@" >/dev/null || true
  "$bun" extract.ts "$trace" "$kind" "$tools, $kernel" "$*" >"requests/$file.txt"
}

# Duplicate address detection would make what a dump shows depend on when it is made.
for each in all default; do echo 0 >/proc/sys/net/ipv6/conf/$each/accept_dad; done
rm -f requests/*.txt replies/*.txt replies/*.json

capture link-add-bridge RTM_NEWLINK ip link add br0 address 02:00:00:00:00:01 type bridge
capture link-add-veth RTM_NEWLINK ip link add veth0 address 02:00:00:00:00:02 mtu 1400 type veth peer name veth1 address 02:00:00:00:00:03 mtu 1400
capture link-set-master RTM_NEWLINK ip link set veth0 master br0
capture link-set-hairpin RTM_NEWLINK ip link set veth0 type bridge_slave hairpin on
capture address-add-ipv4 RTM_NEWADDR ip addr add 192.168.1.2/24 dev br0
capture address-add-ipv6 RTM_NEWADDR ip -6 addr add fd00:1::2/64 dev br0 nodad
capture link-set-up RTM_NEWLINK ip link set br0 up
# What the bridge learns would depend on what happens to be sent.
bridge link set dev veth0 learning off
ip link set veth0 up
ip link set veth1 up
capture link-add-vxlan RTM_NEWLINK ip link add flannel.1 address 02:00:00:00:00:04 mtu 1350 txqueuelen 0 type vxlan id 1 local 192.168.1.2 dev br0 dstport 8472 nolearning ttl 0 gbp
capture link-add-vxlan-ipv6 RTM_NEWLINK ip link add flannel-v6.1 address 02:00:00:00:00:05 type vxlan id 1 local fd00:1::2 dev br0 dstport 8472 nolearning noproxy norsc nol2miss nol3miss noudp6zerocsumtx noudp6zerocsumrx
capture link-set-mtu RTM_NEWLINK ip link set flannel.1 mtu 1330
capture link-set-address RTM_NEWLINK ip link set flannel.1 address 02:00:00:00:00:06
ip link set flannel.1 up
ip link set flannel-v6.1 up
capture address-add-ipv4-vxlan RTM_NEWADDR ip addr add 10.42.0.0/32 dev flannel.1
capture address-add-ipv6-vxlan RTM_NEWADDR ip -6 addr add fd00:42::/128 dev flannel-v6.1
capture route-replace-ipv4-onlink RTM_NEWROUTE ip route replace 10.42.1.0/24 via 10.42.1.0 dev flannel.1 onlink
capture route-replace-ipv4-gateway RTM_NEWROUTE ip route replace 10.42.2.0/24 via 192.168.1.7 proto 102
capture route-replace-ipv6-onlink RTM_NEWROUTE ip -6 route replace fd00:42:0:1::/64 via fd00:42:0:1:: dev flannel-v6.1 onlink
capture neighbour-replace-ipv4 RTM_NEWNEIGH ip neigh replace 10.42.1.0 lladdr 02:00:00:00:01:00 dev flannel.1 nud permanent
capture neighbour-replace-ipv6 RTM_NEWNEIGH ip -6 neigh replace fd00:42:0:1:: lladdr 02:00:00:00:01:06 dev flannel-v6.1 nud permanent
capture fdb-replace-ipv4 RTM_NEWNEIGH bridge fdb replace 02:00:00:00:01:00 dev flannel.1 dst 192.168.1.3 self permanent
capture fdb-replace-ipv6 RTM_NEWNEIGH bridge fdb replace 02:00:00:00:01:06 dev flannel-v6.1 dst fd00:1::3 self permanent
capture family-get nlctrl:3 ethtool -k flannel.1
capture features-get ethtool:11 ethtool -k flannel.1
capture features-set ethtool:12 ethtool -K flannel.1 tx-checksum-ip-generic off

"$bun" capture-dumps.ts replies "$kernel"
ip -d -j link show >replies/links.json
for family in 4 6; do
  ip "-$family" -j address show >"replies/ipv$family-addresses.json"
  ip "-$family" -d -j route show table all >"replies/ipv$family-routes.json"
  ip "-$family" -j neighbour show nud all >"replies/ipv$family-neighbours.json"
done
bridge -j fdb show >replies/forwarding.json
../../node_modules/.bin/biome format --write replies

capture fdb-del RTM_DELNEIGH bridge fdb del 02:00:00:00:01:00 dev flannel.1 dst 192.168.1.3 self permanent
capture neighbour-del RTM_DELNEIGH ip neigh del 10.42.1.0 dev flannel.1
capture route-replace-ipv4-blackhole RTM_NEWROUTE ip route replace blackhole 10.42.3.0/24 proto 102 metric 2147483647
capture route-replace-ipv6-blackhole RTM_NEWROUTE ip -6 route replace blackhole fd00:42:0:3::/64 proto 102 metric 2147483647
capture route-del RTM_DELROUTE ip route del 10.42.1.0/24 via 10.42.1.0 dev flannel.1 onlink
capture address-del RTM_DELADDR ip addr del 10.42.0.0/32 dev flannel.1
capture link-del RTM_DELLINK ip link del flannel.1
capture link-add-bridge-options RTM_NEWLINK ip link add br1 address 02:00:00:00:00:07 type bridge stp_state 0 vlan_filtering 0
capture link-add-vxlan-group RTM_NEWLINK ip link add vxlan2 address 02:00:00:00:00:08 type vxlan id 2 group 239.1.1.1 dev br0 dstport 8472
capture link-add-vxlan-group-ipv6 RTM_NEWLINK ip link add vxlan3 address 02:00:00:00:00:09 type vxlan id 3 group ff05::100 dev br0 dstport 8472
