# Shared by tools/demo and tools/test: set-up by name, nothing left running. Source it; it needs bash.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT" || exit 1
BUILD=$ROOT/build
mkdir -p "$BUILD"

say() { printf '== %s\n' "$*"; }

die() { printf '%s\n' "$*" >&2; exit 1; }

# need PACKAGE TEST...: each package whose test (a command on the PATH, or a file) is missing is installed, all at once.
MISSING=()
need() {
    local package=$1 sign=$2
    case $sign in
        /*) [ -e "$sign" ] || MISSING+=("$package") ;;
        *) command -v "$sign" >/dev/null || MISSING+=("$package") ;;
    esac
}

install_missing() {
    [ ${#MISSING[@]} -eq 0 ] && return
    local as_root=
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    command -v apt-get >/dev/null || die "this script installs what it needs with apt-get; here you need: ${MISSING[*]}"
    say "installing with apt-get: ${MISSING[*]}"
    export DEBIAN_FRONTEND=noninteractive
    $as_root apt-get update -qq || die "apt-get update failed"
    $as_root apt-get install -y -qq --no-install-recommends "${MISSING[@]}" >"$BUILD/apt.log" 2>&1 \
        || { tail -5 "$BUILD/apt.log" >&2; die "apt-get install failed; all of it is in build/apt.log"; }
    MISSING=()
}

# npm_install FOLDER: its locked packages, when they are not there or the lock is newer.
npm_install() {
    local folder=$1
    [ "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ] && return
    say "installing the npm packages of $folder"
    npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error >"$BUILD/npm.log" 2>&1 \
        || { tail -5 "$BUILD/npm.log" >&2; die "npm ci failed in $folder; all of it is in build/npm.log"; }
    touch "$folder/node_modules/.package-lock.json"
}
