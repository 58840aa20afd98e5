#!/bin/sh
# Writes requests/nft-*.txt and replies/nft-*.txt anew: what nft sends, as strace sees it, and what the kernel answers
# to our dumps, beside what nft prints at the same moment. Everything happens in a network namespace of its own.
#
# Needs root or user namespaces, and the Debian packages strace, nftables, conntrack and linux-libc-dev.
set -eu
cd "$(dirname "$0")"
bun=$(realpath ../../node_modules/.bin/bun)

if [ "${1:-}" != inside ]; then
  if [ "$(id -u)" = 0 ]; then exec unshare -n "./capture-nft.sh" inside; fi
  exec unshare -Urn "./capture-nft.sh" inside
fi

tools="nftables-$(nft --version | sed -E 's/.* v([0-9.]+).*/\1/'), Linux $(uname -r | cut -d- -f1)"
trace=$(mktemp)
trap 'rm -f "$trace"' EXIT

# capture FILE KIND COMMAND: has nft do it and keeps its last message of the kind.
capture() {
  strace -qq -e trace=sendmsg,sendto -e write=all -o "$trace" nft "$3" >/dev/null
  "$bun" extract.ts "$trace" "$2" "$tools" "nft '$3'" >"requests/nft-$1.txt"
}

rm -f requests/nft-*.txt replies/nft-*.txt replies/nft-*.json

capture batch-begin NFNL_MSG_BATCH_BEGIN 'add table ip other'
capture batch-end NFNL_MSG_BATCH_END 'add table ip6 other'
capture generation-get NFT_MSG_GETGEN 'list tables'
capture table-get NFT_MSG_GETTABLE 'list table ip other'
capture table-add NFT_MSG_NEWTABLE 'add table ip flannel-ipv4 { comment "rules for flannel-ipv4"; }'
capture table-add-ipv6 NFT_MSG_NEWTABLE 'add table ip6 flannel-ipv6 { comment "rules for flannel-ipv6"; }'
capture chain-add-forward NFT_MSG_NEWCHAIN 'add chain ip flannel-ipv4 forward { type filter hook forward priority 0; policy accept; comment "chain to accept flannel traffic"; }'
capture chain-add-postrtg NFT_MSG_NEWCHAIN 'add chain ip flannel-ipv4 postrtg { type nat hook postrouting priority 100; policy accept; comment "chain to manage traffic masquerading by flannel"; }'
nft 'add chain ip6 flannel-ipv6 postrtg { type nat hook postrouting priority 100; policy accept; }'
nft 'add chain ip6 flannel-ipv6 raw { type filter hook prerouting priority -300; policy drop; }'
capture rule-source NFT_MSG_NEWRULE 'add rule ip flannel-ipv4 forward ip saddr 10.42.0.0/16 accept'
capture rule-destination NFT_MSG_NEWRULE 'add rule ip flannel-ipv4 forward ip daddr 10.42.0.0/17 accept'
capture rule-mark NFT_MSG_NEWRULE 'add rule ip flannel-ipv4 postrtg meta mark & 0x4000 == 0x4000 return'
capture rule-both NFT_MSG_NEWRULE 'add rule ip flannel-ipv4 postrtg ip saddr != 10.42.0.0/16 ip daddr 10.42.1.0/24 return'
capture rule-masquerade NFT_MSG_NEWRULE 'add rule ip flannel-ipv4 postrtg ip saddr 10.42.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random'
capture rule-masquerade-plain NFT_MSG_NEWRULE 'add rule ip flannel-ipv4 postrtg ip saddr != 10.42.0.0/16 ip daddr 10.42.0.0/16 masquerade'
capture rule-ipv6 NFT_MSG_NEWRULE 'add rule ip6 flannel-ipv6 postrtg ip6 saddr fd42::/48 ip6 daddr != ff00::/8 masquerade fully-random'
nft 'add rule ip6 flannel-ipv6 postrtg ip6 saddr fd42::/57 counter drop comment "not ours"'
nft 'add rule ip6 flannel-ipv6 postrtg tcp dport { 22, 80 } jump extra' 2>/dev/null || true

"$bun" capture-nft-dumps.ts replies "$tools"
nft -j list ruleset >replies/nft-ruleset.json
../../node_modules/.bin/biome format --write replies

capture table-delete NFT_MSG_DELTABLE 'delete table ip flannel-ipv4'

# What hostPorts are made of.
nft 'add table ip ports; add table ip6 ports; add chain ip ports hostports'
capture map-by-port NFT_MSG_NEWSET 'add map ip ports by-port { type inet_proto . inet_service : ipv4_addr . inet_service; }'
capture map-by-address-ipv6 NFT_MSG_NEWSET 'add map ip6 ports by-address { type inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service; }'
nft 'add map ip6 ports by-port { type inet_proto . inet_service : ipv6_addr . inet_service; }'
capture elements NFT_MSG_NEWSETELEM 'add element ip ports by-port { tcp . 8080 comment "pod-1 eth0" : 10.42.1.2 . 80 }'
capture elements-ipv6 NFT_MSG_NEWSETELEM 'add element ip6 ports by-address { tcp . fd00::1 . 8080 : fd42::2 . 80 }'
capture chain-add-plain NFT_MSG_NEWCHAIN 'add chain ip ports hostports'
capture rule-map NFT_MSG_NEWRULE 'add rule ip ports hostports dnat ip to meta l4proto . th dport map @by-port'
nft 'add chain ip6 ports hostports'
capture rule-map-ipv6 NFT_MSG_NEWRULE 'add rule ip6 ports hostports dnat ip6 to meta l4proto . ip6 daddr . th dport map @by-address'
capture rule-set-mark NFT_MSG_NEWRULE 'add rule ip ports hostports meta mark set meta mark | 0x2000'
nft 'add chain ip ports other'
capture rule-local NFT_MSG_NEWRULE 'add rule ip ports hostports fib daddr type local jump other'
capture rule-guard NFT_MSG_NEWRULE 'add rule ip ports hostports meta iiftype != loopback ip daddr 127.0.0.0/8 ct state new drop'
conntrack -I -p udp -s 192.168.1.2 -d 192.168.1.1 --sport 1024 --dport 53 -r 10.42.1.2 -q 192.168.1.2 --reply-port-src 5353 --reply-port-dst 1024 -t 100 >/dev/null 2>&1
get='conntrack -G -p udp -s 192.168.1.2 -d 192.168.1.1 --sport 1024 --dport 53'
strace -qq -e trace=sendmsg,sendto -e write=all -o "$trace" $get >/dev/null 2>&1
tools="conntrack-$(conntrack --version | sed -E 's/.* v([0-9.]+).*/\1/'), Linux $(uname -r | cut -d- -f1)"
"$bun" extract.ts "$trace" IPCTNL_MSG_CT_GET "$tools" "$get" >requests/nft-conntrack-get.txt
