# A hub for scripts. Source it from the root of the checkout; it needs bash.
#     hub_start FOLDER    starts the emulator with the device "d1"; sets hub_port, hub_ca, hub_key, and keeps its log in FOLDER/hub.log
#     hub_stop            its exit code is not 0 when a client broke a rule
hub_pid=
hub_key=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
hub_start() {
    hub_log=$1/hub.log
    node tools/emulator/main.js --strict --port 0 --state "$1/state" --device "d1,key=$hub_key" >"$hub_log" 2>&1 &
    hub_pid=$!
    local i
    for i in $(seq 150); do
        grep -q '^ready' "$hub_log" && break
        kill -0 $hub_pid 2>/dev/null || break
        sleep 0.1
    done
    hub_port=$(sed -n 's/^HostName=localhost:\([0-9]*\);.*/\1/p' "$hub_log")
    hub_ca=$(sed -n 's/^CA certificate: //p' "$hub_log")
    [ -n "$hub_port" ] && [ -n "$hub_ca" ]
}
hub_stop() {
    local code
    [ -n "$hub_pid" ] || return 1
    kill $hub_pid 2>/dev/null
    wait $hub_pid 2>/dev/null
    code=$?
    hub_pid=
    return $code
}
# hub_telemetry COUNT: has it got the messages 0 to COUNT - 1, each at least once and in order?
hub_telemetry() {
    sed -n 's/^telemetry d1 #[0-9]* {"count":\([0-9]*\).*/\1/p' "$hub_log" | uniq | head -"$1" | cmp -s - <(seq 0 $(($1 - 1)))
}
trap '[ -z "$hub_pid" ] || kill $hub_pid 2>/dev/null' EXIT
trap 'exit 130' INT TERM
