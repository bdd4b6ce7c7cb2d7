#!/usr/bin/env bash
# Checks the packages: manifests by what their ecosystems document, and each way of using the header by a program that is built that
# way and run. README.md has the table. usage: run.sh BUILD-FOLDER
set -u
work=$(mkdir -p "${1:?usage: run.sh BUILD-FOLDER}" && cd "$1" && pwd)/packages
. "$(dirname "$0")/../../tools/common.sh"
here=$ROOT/tests/packages
need gcc gcc
need g++ g++
need libc6-dev /usr/include/stdio.h
need cmake cmake
need ninja-build ninja
need pkg-config pkg-config
need git git
need libbearssl-dev /usr/include/bearssl.h
need python3 /usr/bin/python3
need python3-yaml /usr/lib/python3/dist-packages/yaml/__init__.py
need python3-kconfiglib /usr/lib/python3/dist-packages/kconfiglib.py
install_missing
rm -rf "$work"
mkdir -p "$work"
export CMAKE_GENERATOR=Ninja CMAKE_BUILD_PARALLEL_LEVEL=2
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
unset CMAKE_PREFIX_PATH PKG_CONFIG_PATH
version=$(/usr/bin/python3 "$here/manifests.py" --version)

# check NAME COMMAND...: ok when the command is, and when no CMake in it warned.
check() {
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1 && ! grep -q 'CMake.* Warning' "$work/log"; then
        echo "ok    $name"
    else
        echo "FAIL  $name"
        tail -25 "$work/log" | sed 's/^/      /'
    fi
}

# refused NAME TEXT COMMAND...: ok when the command fails and says so.
refused() {
    local name=$1 text=$2
    shift 2
    if ! "$@" >"$work/log" 2>&1 && grep -q "$text" "$work/log"; then
        echo "ok    $name"
    else
        echo "FAIL  $name"
        tail -10 "$work/log" | sed 's/^/      /'
    fi
}

# runs PROGRAM...: each ends well and was built from the header of this version.
runs() {
    local program said
    for program in "$@"; do
        said=$(timeout 20 "$program") || { echo "$program: code $?, $said"; return 1; }
        [ "$said" = "iothub_client $version: 1 opened, 1 confirmed" ] || { echo "$program: $said"; return 1; }
    done
}

# consumer NAME OPTIONS...: the consumer's project, configured, built and run; in NAME below the work folder.
consumer() {
    local name=$1
    shift
    cmake -S "$here/consumer" -B "$work/$name" -Werror=dev "$@" && nice -n 15 cmake --build "$work/$name" \
        && runs "$work/$name/consumer_c" "$work/$name/consumer_cpp" "$work/$name/consumer_mixed"
}

# mixed NAME OPTIONS...: the same with the one program that is C and C++, where only the way to the header differs.
mixed() {
    local name=$1
    shift
    cmake -S "$here/consumer" -B "$work/$name" -Werror=dev "$@" && nice -n 15 cmake --build "$work/$name" --target consumer_mixed \
        && runs "$work/$name/consumer_mixed"
}

# compiled FLAGS...: the consumer without CMake, by flags alone, as C89 and as C++98.
compiled() {
    nice -n 15 gcc -std=gnu89 -Wall -Wextra -pedantic -Werror "$@" "$here/consumer/implementation.c" "$here/consumer/main.c" -o "$work/by_flags_c" \
        && nice -n 15 g++ -std=gnu++98 -Wall -Wextra -pedantic -Werror "$@" "$here/consumer/implementation.cpp" "$here/consumer/main.cpp" -o "$work/by_flags_cpp" \
        && runs "$work/by_flags_c" "$work/by_flags_cpp"
}

# same_files FOLDER FILE...: the folder has these files and no others, and no empty folders.
same_files() {
    local folder=$1
    shift
    diff <(printf '%s\n' "$@" | sort) <(cd "$folder" && find . -type f -o -type d -empty | sed 's/^..//' | sort)
}

say "packages: manifests"
/usr/bin/python3 "$here/manifests.py"
/usr/bin/python3 "$here/manifests.py" --self-test "$work/self_test"

say "packages: CMake and pkg-config"
ports=$(find ports -name '*.h')
check "CMake installs into a prefix" \
    sh -c "cmake -S . -B '$work/install' -Werror=dev -DCMAKE_INSTALL_PREFIX='$work/first' && cmake --install '$work/install' && mv '$work/first' '$work/prefix'"
check "installed: header, ports, licence, CMake package, pkg-config file, no more" same_files "$work/prefix" \
    $(for file in iothub_client.h $ports; do echo "include/iothub_client/$file"; done) share/doc/iothub_client/LICENSE \
    share/cmake/iothub_client/iothub_client-config.cmake share/cmake/iothub_client/iothub_client-config-version.cmake share/pkgconfig/iothub_client.pc
check "find_package, from a prefix that was moved; README's program too" \
    consumer find_package -DHOW=find_package -DCMAKE_PREFIX_PATH="$work/prefix" -DWANTED="${version%.*}" -DEXAMPLE="$ROOT/examples/telemetry/telemetry.c"
refused "find_package refuses the next minor version" "not compatible\|requested version" \
    cmake -S "$here/consumer" -B "$work/too_new" -DHOW=find_package -DCMAKE_PREFIX_PATH="$work/prefix" -DWANTED="${version%%.*}.99"
check "add_subdirectory" consumer add_subdirectory -DHOW=add_subdirectory -DSOURCE="$ROOT"
check "add_subdirectory installs nothing of its own" \
    sh -c "cmake --install '$work/add_subdirectory' --prefix '$work/consumer_prefix' && ! test -e '$work/consumer_prefix/include'"
# The files of this checkout as a release would have them: an archive, and a repository with a tag.
release() {
    mkdir "$work/release" && git -c safe.directory='*' ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
        [ ! -f "$file" ] || printf '%s\0' "$file"
    done | xargs -0 cp --parents -t "$work/release" && tar czf "$work/release.tar.gz" -C "$work" release \
        && git -C "$work/release" init -q && git -C "$work/release" add -A \
        && git -C "$work/release" -c user.name=test -c user.email=test@localhost commit -q -m release && git -C "$work/release" tag "v$version"
}
check "a release of this checkout" release
check "FetchContent of an archive, with its hash" \
    mixed fetch_url -DHOW=url -DSOURCE="file://$work/release.tar.gz" -DHASH="SHA256=$(sha256sum "$work/release.tar.gz" | cut -d' ' -f1)"
check "FetchContent of a tag" mixed fetch_git -DHOW=git -DSOURCE="file://$work/release" -DTAG="v$version"
by_pkg_config() {
    export PKG_CONFIG_PATH=$work/prefix/share/pkgconfig
    pkg-config --validate iothub_client && test "$(pkg-config --modversion iothub_client)" = "$version" \
        && test -z "$(pkg-config --libs iothub_client)" && compiled $(pkg-config --cflags iothub_client)
}
check "pkg-config, from a prefix that was moved" by_pkg_config
headers=$(mktemp -d)                             # an absolute path, which must not lie in the checkout
trap 'rm -rf "$headers"' EXIT
elsewhere() {
    cmake -S . -B "$work/elsewhere" -DCMAKE_INSTALL_PREFIX="$work/far" -DCMAKE_INSTALL_DATADIR=share/deep/er -DCMAKE_INSTALL_INCLUDEDIR="$headers" \
        && cmake --install "$work/elsewhere" && PKG_CONFIG_PATH=$work/far/share/deep/er/pkgconfig \
        && export PKG_CONFIG_PATH && compiled $(pkg-config --cflags iothub_client) \
        && mixed elsewhere_found -DHOW=find_package -Diothub_client_DIR="$work/far/share/deep/er/cmake/iothub_client"
}
check "the same with folders elsewhere" elsewhere

say "packages: by our own small part of the tool"
platformio() {
    local flags
    flags=$(/usr/bin/python3 "$here/manifests.py" --pack platformio "$work/platformio/iothub_client") && compiled $flags
}
check "PlatformIO: the packed library (filters and include path emulated)" platformio
esp_idf() {
    /usr/bin/python3 "$here/manifests.py" --pack esp_idf "$work/components/iothub_client" \
        && cmake -S "$here/emulated/esp_idf" -B "$work/esp_idf" -DCOMPONENT="$work/components/iothub_client" -DCONSUMER="$here/consumer" \
        && nice -n 15 cmake --build "$work/esp_idf" && runs "$work/esp_idf/consumer"
}
check "ESP-IDF: the packed component in both readings (idf_component_register emulated, host compiler)" esp_idf
# zephyr FOLDER SETTING...: an application with the module, configured by its Kconfig.
zephyr() {
    local folder=$work/$1
    shift
    /usr/bin/python3 "$here/manifests.py" --kconfig "$@" >"$folder.settings" \
        && cmake -S "$here/emulated/zephyr" -B "$folder" -DMODULE="$ROOT" -DMODULE_CMAKE="$(sed -n 's/^  cmake: //p' zephyr/module.yml)" \
            -DSETTINGS="$folder.settings" -DCONSUMER="$here/consumer" && nice -n 15 cmake --build "$folder" && runs "$folder/consumer"
}
check "Zephyr: an application with the module (Kconfig by kconfiglib, CMake emulated, host compiler)" zephyr zephyr IOTHUB_CLIENT=y
refused "Zephyr: without CONFIG_IOTHUB_CLIENT nothing is found" "iothub_client.h: No such file" zephyr zephyr_off
vcpkg() {
    cmake -DPORT_FOLDER="$ROOT/tools/packaging/vcpkg/iothub-client" -DWORK="$work/vcpkg" -P "$here/emulated/vcpkg.cmake" \
        && mixed vcpkg_consumer -DHOW=find_package -DCMAKE_PREFIX_PATH="$work/vcpkg/package"
}
check "vcpkg: the port's package by find_package (vcpkg's functions emulated)" vcpkg
conan() {
    /usr/bin/python3 "$here/emulated/conan.py" tools/packaging/conan/conanfile.py "$work/conan" >"$work/conan.txt" || return 1
    cat "$work/conan.txt"
    [ "$(head -1 "$work/conan.txt")" = "iothub_client/$version" ] && grep -q '^cmake_target_name iothub_client::iothub_client$' "$work/conan.txt" \
        && same_files "$work/conan/package" licenses/LICENSE $(for file in iothub_client.h $ports; do echo "include/iothub_client/$file"; done) \
        && compiled $(grep '^-I' "$work/conan.txt")
}
check "Conan: the recipe's package (ConanFile emulated)" conan

sed -n "s/^|/      |/p" "$here/README.md"
echo done
