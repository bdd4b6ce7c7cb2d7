#!/usr/bin/env bash
# Unpacks the sources of BearSSL, lwIP and mbedTLS, for images and tests that are built from them: FOLDER/bearssl, /lwip, /mbedtls.
# They come from Debian's source packages, through the package sources that apt has on this machine; the hashes are pinned
# here, so it does not matter which mirror answers. Of lwIP only src/ is unpacked (BSD), of
# BearSSL (MIT) and mbedTLS (Apache-2.0) all. Needs no root,
# changes nothing outside FOLDER. When the right sources are there it does nothing.
# usage: get_sources.sh FOLDER
set -eu
[ $# -eq 1 ] || { echo "usage: get_sources.sh FOLDER" >&2; exit 2; }

BEARSSL=bearssl_0.6+dfsg.1.orig.tar.xz
BEARSSL_SHA256=102a625bd8f6155260867a50c508df8d8c3f796985dd744df1a68e5cd1a79004
LWIP=lwip_2.1.3+dfsg1.orig.tar.xz
LWIP_SHA256=0a8276d09fc4e97bbba2f953d74af2388fc2195ea156be9d7589e297a68fde24
MBEDTLS=mbedtls_2.28.3.orig.tar.gz
MBEDTLS_SHA256=3b4953aa55a681e084d31892d9904cc5328d6b4958ea57b90ae4b4f94ae69a8d

die() { printf 'get_sources.sh: %s\n' "$*" >&2; exit 1; }

mkdir -p "$1"
folder=$(cd "$1" && pwd)
there() { [ "$(cat "$folder/$1/.unpacked_from" 2>/dev/null)" = "$2" ]; }
there bearssl $BEARSSL_SHA256 && there lwip $LWIP_SHA256 && there mbedtls $MBEDTLS_SHA256 && exit 0

exec 9>"$folder/.lock"                           # two test suites may ask at the same time
flock 9

# A list of its own for apt, in which each binary source of the machine stands as its source packages. The state is private
# too, so nobody's lists are touched or locked.
work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT
begin_apt() {
    local keys=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -z "$work" ] || return 0
    command -v apt-get >/dev/null || die "needs apt-get, or $BEARSSL, $LWIP and $MBEDTLS in $folder"
    work=$(mktemp -d)
    mkdir -p "$work/lists/partial"
    private=(-o Dir::Etc::sourcelist="$work/list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$work/lists"
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User= -o Debug::NoLocking=1)
    [ -e "$keys" ] && keys="[signed-by=$keys] " || keys=
    apt-get indextargets --format "deb-src $keys\$(SITE) \$(RELEASE) \$(COMPONENT)" 'Created-By: Packages' | sort -u >"$work/list"
    [ -s "$work/list" ] || die "apt knows no packages here: run apt-get update first"
    apt-get -qq "${private[@]}" update || die "apt-get update failed for the source packages"
}

# get NAME TARBALL SHA256 PART...: FOLDER/NAME from the tarball, which may lie in FOLDER already.
get() {
    local name=$1 tarball=$2 hash=$3 version
    shift 3
    there "$name" "$hash" && return 0
    if ! echo "$hash  $folder/$tarball" | sha256sum --check --status 2>/dev/null; then
        begin_apt
        version=${tarball#"${name}_"}
        version=${version%.orig.tar.?z}
        version=$(apt-cache "${private[@]}" showsrc "$name" | sed -n "s/^Version: \($version-.*\)/\1/p" | head -1)
        [ -n "$version" ] || die "no package source of this machine has $tarball"
        (cd "$work" && apt-get -qq "${private[@]}" --download-only --only-source source "$name=$version" >/dev/null) || die "cannot download $name $version"
        echo "$hash  $work/$tarball" | sha256sum --check --status || die "$tarball is not the one whose hash is pinned here"
        mv "$work/$tarball" "$folder/"
    fi
    rm -rf "${folder:?}/$name" "$folder/$name.part"
    mkdir "$folder/$name.part"
    tar -xf "$folder/$tarball" -C "$folder/$name.part" --strip-components=1 --no-same-owner "$@"
    echo "$hash" >"$folder/$name.part/.unpacked_from"
    mv "$folder/$name.part" "$folder/$name"
}

get bearssl "$BEARSSL" $BEARSSL_SHA256
get lwip "$LWIP" $LWIP_SHA256 --wildcards '*/src' '*/COPYING'
get mbedtls "$MBEDTLS" $MBEDTLS_SHA256
