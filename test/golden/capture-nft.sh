#!/bin/sh
# Writes requests/nft-*.txt and replies/nft-*.txt anew: what nft sends, as strace sees it, and what the kernel answers
# to our dumps, beside what nft prints at the same moment. Everything happens in a network namespace of its own.
#
# Needs root or user namespaces, and the Debian packages strace, nftables and linux-libc-dev.
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
