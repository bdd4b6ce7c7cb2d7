/* ports/modem against a scripted modem in the same process, in virtual time: every phase, odd answers, hostile ones. Prints a line a test. */
#include "iothub_client.h"
#include "ports/modem/iothub_modem.h"
#include "../ports/conformance.h"

#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

namespace {

typedef std::vector<std::string> Strings;

/* ---- A test is a function; its first failed check ends it. ---- */

struct Failed { int line; std::string what; };
#define CHECK(condition) do { if (!(condition)) throw Failed{ __LINE__, #condition }; } while (0)

void check_equal(int line, long long a, long long b)
{
    if (a != b) throw Failed{ line, "got " + std::to_string(a) + ", not " + std::to_string(b) };
}
void check_equal(int line, const std::string &a, const std::string &b)
{
    if (a != b) throw Failed{ line, "got \"" + a + "\", not \"" + b + "\"" };
}
#define EQUAL(a, b) check_equal(__LINE__, a, b)

uint32_t tick;

/* ---- A modem with a peer behind it ---- */

enum Family { SIM800, QUECTEL, QUECTEL_TLS, ESP_AT, ESP_AT_TLS, PUSHING };

const char pushing[] =                           /* no such modem is known to the author; ESP-AT without CIPRECVMODE comes near */
    "sATE0\n"
    "oAT+CIPSTART=\"TCP\",\"%h\",%p\n" "OCONNECT OK\n"
    "wAT+CIPSEND=%n\n" "WSEND OK\n"
    "D+IPD,#:\n" "CCLOSED\n" "FCONNECT FAIL\n" "c-AT+CIPCLOSE\n";

const char *dialect_of(Family family)
{
    switch (family) {
    case SIM800: return iothub_modem_sim800;
    case QUECTEL: return iothub_modem_quectel;
    case QUECTEL_TLS: return iothub_modem_quectel_tls;
    case ESP_AT: return iothub_modem_esp_at;
    case ESP_AT_TLS: return iothub_modem_esp_at_tls;
    default: return pushing;
    }
}

struct Modem {
    explicit Modem(Family family) : family(family) {}

    Family family;
    bool echo = true, mute = false, connected = false, refuse = false, keep_prompt = false, keep_taken = false;
    bool never_opens = false, owes_taken = false;
    size_t peer_holds = (size_t)-1;              /* bytes that the peer may leave unread before the modem stops taking */
    std::string between;                         /* said before each answer, as a modem does with its news */
    std::string from_peer, to_peer, said, typed, data;
    size_t wanted = 0, more_than_asked = 0;
    std::string instead_of_data;                 /* said for a receiving command */
    std::string clock = "+CCLK: \"26/11/21,14:30:00+08\"";
    Strings commands;
    int resets = 0;
    bool told = false;
    unsigned int read_most = 0xFFFF, write_most = 0xFFFF, stall_every = 0, calls = 1;

    bool stalls()                                /* one call of so many, but not in step with anything */
    {
        calls = calls * 1664525u + 1013904223u;
        return stall_every != 0 && (calls >> 16) % stall_every == 0;
    }
    bool quectel() const { return family == QUECTEL || family == QUECTEL_TLS; }
    bool esp() const { return family == ESP_AT || family == ESP_AT_TLS; }
    std::string q() const { return family == QUECTEL ? "QI" : "QSSL"; }

    void say(const std::string &text) { said += text; }
    void line(const std::string &text) { say("\r\n" + text + "\r\n"); }
    void ok() { line("OK"); }

    /* The peer sends bytes. */
    void give(const std::string &bytes)
    {
        if (family == PUSHING) {
            line("+IPD," + std::to_string(bytes.size()) + ":" + bytes);
            return;
        }
        from_peer += bytes;
        if (told) return;
        told = true;
        if (esp()) line("+IPD," + std::to_string(from_peer.size()));
        else line(family == SIM800 ? "+CIPRXGET: 1" : "+" + q() + "URC: \"recv\",0");
    }
    void hang_up()
    {
        connected = false;
        line(quectel() ? "+" + q() + "URC: \"closed\",0" : "CLOSED");
    }

    void command(const std::string &text)
    {
        unsigned int n = 0, port = 0;
        char host[64];
        const char *t = text.c_str();
        commands.push_back(text);
        say(between);
        if (text == "AT" || text.compare(0, 3, "ATX") == 0) return ok();
        if (text == "ATE0") { echo = false; return ok(); }
        if (text.find("CLOSE") != std::string::npos || text == "AT+CIPSHUT") {
            bool was = connected;
            connected = false;
            if (text == "AT+CIPSHUT") return line("SHUT OK");
            if (!was) return quectel() ? ok() : line("ERROR");
            if (family == SIM800) return line("CLOSE OK");
            if (!quectel()) line("CLOSED");
            return ok();
        }
        if (text == "AT+CIFSR") return line("10.64.3.7");
        if (text == "AT+CCLK?") { line(clock); return ok(); }
        if (text == "AT+SYSTIMESTAMP?") { line("+SYSTIMESTAMP:1795271400"); return ok(); }
        if (sscanf(t, "AT+CIPSTART=\"%*3[A-Z]\",\"%63[^\"]\",%u", host, &port) == 2 || sscanf(t, "AT+QIOPEN=1,0,\"TCP\",\"%63[^\"]\",%u", host, &port) == 2
            || sscanf(t, "AT+QSSLOPEN=1,1,0,\"%63[^\"]\",%u", host, &port) == 2) {
            CHECK(std::string(host) == "hub.example" && port == 8883);
            from_peer.clear();
            told = false;
            if (never_opens) return;
            connected = !refuse;
            if (quectel()) { ok(); return line("+" + q() + "OPEN: 0," + (refuse ? "565" : "0")); }
            if (esp()) { say(refuse ? "CLOSED\r\n" : "CONNECT\r\n"); return line(refuse ? "ERROR" : "OK"); }
            ok();
            return line(refuse ? "CONNECT FAIL" : "CONNECT OK");
        }
        if (sscanf(t, "AT+CIPSEND=%u", &n) == 1 || sscanf(t, "AT+QISEND=0,%u", &n) == 1 || sscanf(t, "AT+QSSLSEND=0,%u", &n) == 1) {
            if (!connected) return line("ERROR");
            wanted = n;
            data.clear();
            if (keep_prompt) return;
            if (esp()) ok();
            return say("\r\n> ");
        }
        if (sscanf(t, "AT+CIPRXGET=2,%u", &n) == 1 || sscanf(t, "AT+QIRD=0,%u", &n) == 1 || sscanf(t, "AT+QSSLRECV=0,%u", &n) == 1
            || sscanf(t, "AT+CIPRECVDATA=%u", &n) == 1) {
            std::string part = from_peer.substr(0, n + more_than_asked);
            if (!instead_of_data.empty()) return say(instead_of_data);
            from_peer.erase(0, part.size());
            if (from_peer.empty()) told = false;
            if (esp()) {
                if (part.empty()) return line("ERROR");
                say("+CIPRECVDATA:" + std::to_string(part.size()) + "," + part);
            } else if (family == SIM800) {
                say("\r\n+CIPRXGET: 2," + std::to_string(part.size()) + "," + std::to_string(from_peer.size()) + "\r\n" + part);
            } else {
                say("\r\n+" + std::string(family == QUECTEL ? "QIRD" : "QSSLRECV") + ": " + std::to_string(part.size()) + "\r\n" + part);
            }
            return ok();
        }
        if (text.compare(0, 5, "AT+CI") == 0 || text.compare(0, 7, "AT+QSSL") == 0 || text == "AT+CSTT=\"internet\"") return ok();
        line("+CME ERROR: 58");
    }

    /* Says that it sent the bytes: ESP-AT only when there is room for more, as long as that may take. */
    void taken()
    {
        if (!owes_taken || (family > QUECTEL_TLS && to_peer.size() > peer_holds)) return;
        owes_taken = false;
        say(between);
        if (esp()) line("Recv " + std::to_string(data.size()) + " bytes");
        line(family == SIM800 ? "DATA ACCEPT:" + std::to_string(data.size()) : "SEND OK");
    }

    void byte(char c)
    {
        if (mute) return;
        if (wanted != 0) {
            data += c;
            if (--wanted == 0) {
                if ((family == SIM800 || quectel()) && to_peer.size() > peer_holds) {        /* no room */
                    size_t some = family == SIM800 ? data.size() / 3 : 0;
                    to_peer += data.substr(0, some);
                    return line(family == SIM800 ? "DATA ACCEPT:" + std::to_string(some) : "SEND FAIL");
                }
                to_peer += data;
                owes_taken = true;
                if (!keep_taken) taken();
            }
            return;
        }
        if (echo) say(std::string(1, c));
        if (c != '\r') { typed += c; return; }
        std::string text;
        text.swap(typed);
        if (!text.empty()) command(text);
    }

    static int read(void *context, unsigned char *bytes, unsigned int capacity)
    {
        Modem *m = static_cast<Modem *>(context);
        size_t n = m->said.size() < capacity ? m->said.size() : capacity;
        if (m->stalls()) return 0;
        n = n < m->read_most ? n : m->read_most;
        memcpy(bytes, m->said.data(), n);
        m->said.erase(0, n);
        return (int)n;
    }
    static int write(void *context, const unsigned char *bytes, unsigned int size)
    {
        Modem *m = static_cast<Modem *>(context);
        if (m->stalls()) return 0;
        size = size < m->write_most ? size : m->write_most;
        for (unsigned int i = 0; i < size; i++) m->byte((char)bytes[i]);
        return (int)size;
    }
    static int reset(void *context)
    {
        Modem *m = static_cast<Modem *>(context);
        if (++m->resets % 2 == 1) return 0;      /* takes two calls */
        m->mute = m->connected = m->keep_prompt = m->keep_taken = false;
        m->echo = true;
        m->wanted = 0;
        m->typed.clear();
        m->said.clear();
        m->line("ready");
        return 1;
    }
};

uint32_t milliseconds(void *) { return tick; }

/* ---- The port over it ---- */

struct Rig {
    explicit Rig(Family family, unsigned int buffer_size = 64, const char *const *setup = nullptr) : fake(family), buffer(buffer_size)
    {
        IOTHUB_MODEM_SERIAL serial = { &fake, Modem::read, Modem::write, Modem::reset };
        memset(&platform, 0, sizeof platform);
        platform.milliseconds = milliseconds;
        CHECK(iothub_modem_init(&modem, &serial, dialect_of(family), setup, &platform, buffer.data(), buffer_size) == 0);
        io = *iothub_modem_stream(&modem);
        tick = 0xFFFFF000u;                      /* it wraps soon */
    }
    int open(int calls = 400, uint32_t step = 50)
    {
        for (int i = 0; i < calls; i++) {
            int answer = io.open(io.context, "hub.example", 8883);
            if (answer != 0) return answer;
            tick += step;
        }
        return 0;
    }
    int push(int calls = 400)
    {
        int answer = 0;
        for (int i = 0; i < calls && answer == 0; i++) {
            answer = io.write(io.context, buffer.data(), 0);
            tick += 50;
        }
        return answer;
    }
    void send(const std::string &text)
    {
        size_t at = 0;
        for (int i = 0; i < 4000 && at < text.size(); i++) {
            int n = io.write(io.context, reinterpret_cast<const unsigned char *>(text.data()) + at, (unsigned int)(text.size() - at));
            CHECK(n >= 0);
            at += (size_t)n;
            tick += 5;
        }
        CHECK(at == text.size());
        EQUAL(push(), 1);
    }
    /* Up to so many bytes, or the end of the stream. */
    std::string receive(size_t size, unsigned int capacity = 64, int calls = 4000)
    {
        std::string all;
        std::vector<unsigned char> bytes(capacity + 1, 0xEE);
        for (int i = 0; i < calls && all.size() < size; i++) {
            int n = io.read(io.context, bytes.data(), capacity);
            CHECK(n <= (int)capacity && bytes[capacity] == 0xEE);
            if (n < 0) break;
            all.append(reinterpret_cast<char *>(bytes.data()), (size_t)n);
            tick += 5;
        }
        return all;
    }
    int read_once()
    {
        unsigned char bytes[64];
        return io.read(io.context, bytes, sizeof bytes);
    }
    /* Reads until it is dead. */
    int die(int calls = 4000, uint32_t step = 50)
    {
        for (int i = 0; i < calls; i++) {
            if (read_once() < 0) return 1;
            tick += step;
        }
        return 0;
    }
    long raw()
    {
        long code = -1;
        io.error(io.context, &code);
        return code;
    }
    int layer() { return io.error(io.context, nullptr); }
    bool said(const std::string &command) const
    {
        for (const std::string &c : fake.commands) if (c == command) return true;
        return false;
    }

    Modem fake;
    IOTHUB_MODEM modem;
    IOTHUB_PLATFORM platform;
    IOTHUB_IO io;
    std::vector<unsigned char> buffer;
};

const Family ALL[] = { SIM800, QUECTEL, QUECTEL_TLS, ESP_AT, ESP_AT_TLS, PUSHING };

std::string joined(const Strings &strings)
{
    std::string all;
    for (const std::string &s : strings) all += s + "|";
    return all;
}

std::string noise(uint32_t &state, size_t size)
{
    static const char nasty[] = "\r\nOK\r\nERROR\r\nCLOSED\r\n+IPD,5:> SEND OK\r\n\0\xFF+CIPRXGET: 2,9,0\r\n";
    std::string all;
    while (all.size() < size) {
        state = state * 1664525u + 1013904223u;
        all += (state >> 24) % 4 == 0 ? std::string(nasty, sizeof nasty - 1) : std::string(1, (char)(state >> 16));
    }
    return all.substr(0, size);
}

/* ---- Tests ---- */

void says_what_its_dialect_says()
{
    const char *const setup[] = { "AT+CSTT=\"internet\"", "AT+CIICR", "AT+CIFSR\t*", nullptr };
    Rig sim(SIM800, 64, setup), esp(ESP_AT_TLS), quectel(QUECTEL_TLS);
    EQUAL(sim.open(), 1);
    sim.send("hello");
    sim.io.close(sim.io.context);
    for (int i = 0; i < 20 && !iothub_modem_work(&sim.modem); i++) tick += 50;
    EQUAL(joined(sim.fake.commands), "AT|ATE0|AT+CIPSHUT|AT+CIPMUX=0|AT+CIPQSEND=1|AT+CIPRXGET=1|AT+CSTT=\"internet\"|AT+CIICR|AT+CIFSR|AT+CCLK?|"
        "AT+CIPSTART=\"TCP\",\"hub.example\",8883|AT+CIPSEND=5|AT+CIPCLOSE=1|");
    EQUAL(sim.fake.to_peer, "hello");
    EQUAL(esp.open(), 1);
    EQUAL(joined(esp.fake.commands), "AT|ATE0|AT+CIPCLOSE|AT+CIPMUX=0|AT+CIPRECVMODE=1|AT+CIPSSLCCONF=2,0,0|AT+SYSTIMESTAMP?|"
        "AT+CIPSSLCSNI=\"hub.example\"|AT+CIPSSLCCN=\"hub.example\"|AT+CIPSTART=\"SSL\",\"hub.example\",8883|");
    EQUAL(quectel.open(), 1);
    CHECK(quectel.said("AT+QSSLCFG=\"seclevel\",1,1") && quectel.said("AT+QSSLOPEN=1,1,0,\"hub.example\",8883,0"));
}

void only_a_secured_dialect_fills_the_platform()
{
    for (Family family : ALL) {
        Rig rig(family);
        EQUAL(rig.platform.io.open != nullptr, family == QUECTEL_TLS || family == ESP_AT_TLS);
    }
}

void refuses_what_it_cannot_work_with()
{
    Rig rig(SIM800);
    IOTHUB_MODEM_SERIAL serial = { &rig.fake, Modem::read, Modem::write, nullptr };
    unsigned char small[IOTHUB_MODEM_BUFFER_MINIMUM];
    CHECK(iothub_modem_init(&rig.modem, &serial, iothub_modem_sim800, nullptr, &rig.platform, small, sizeof small - 1) < 0);
    CHECK(iothub_modem_init(&rig.modem, &serial, "sAT\noAT+X\n", nullptr, &rig.platform, small, sizeof small) < 0);
    CHECK(iothub_modem_init(&rig.modem, &serial, "sAT\nwAT+X\n", nullptr, &rig.platform, small, sizeof small) < 0);
    serial.write = nullptr;
    CHECK(iothub_modem_init(&rig.modem, &serial, iothub_modem_sim800, nullptr, &rig.platform, small, sizeof small) < 0);
    serial.write = Modem::write;
    rig.platform.milliseconds = nullptr;
    CHECK(iothub_modem_init(&rig.modem, &serial, iothub_modem_sim800, nullptr, &rig.platform, small, sizeof small) < 0);
}

void a_host_cannot_bring_commands_along()
{
    for (const char *host : { "a\"b", "a\rAT+X", "a b", "", "a,b", "a\\22", "a\x7F" }) {
        Rig rig(SIM800);
        CHECK(rig.io.open(rig.io.context, host, 8883) < 0);
        EQUAL(rig.layer(), (int)IOTHUB_LAYER_CONFIG);
        rig.io.close(rig.io.context);
        EQUAL(rig.open(), 1);
    }
}

/* Random sizes both ways, with serial lines from smooth to awful, news between all answers, and data that looks like answers. */
void carries_any_bytes()
{
    struct { unsigned int read_most, write_most, stall; const char *between; } lines[] = {
        { 0xFFFF, 0xFFFF, 0, "" }, { 1, 1, 0, "" }, { 3, 2, 2, "" }, { 7, 5, 3, "\r\n+CREG: 1\r\n" },
        { 1, 64, 0, "\r\nRING\r\n\r\n+CMTI: \"SM\",3\r\n\r\na line that is much longer than any that this port looks at, OK\r\n" },
    };
    uint32_t seed = 7;
    for (Family family : ALL) for (auto &line : lines) for (unsigned int buffer : { 16u, 100u, 2000u }) {
        Rig rig(family, buffer);
        std::string down, up, got;
        rig.fake.read_most = line.read_most;
        rig.fake.write_most = line.write_most;
        rig.fake.stall_every = line.stall;
        rig.fake.between = line.between;
        EQUAL(rig.open(9000, 1), 1);
        for (int round = 0; round < 6; round++) {
            std::string there = noise(seed, 1 + seed % 700), back = noise(seed, 1 + seed % 900);
            up += there;
            down += back;
            rig.fake.give(back);
            for (size_t at = 0; at < there.size() || got.size() < down.size(); tick += 3) {
                unsigned char bytes[200];
                unsigned int capacity = 1 + (seed = seed * 1664525u + 1013904223u, seed >> 20) % 199;
                int n = rig.io.read(rig.io.context, bytes, capacity);
                CHECK(n >= 0 && n <= (int)capacity);
                got.append(reinterpret_cast<char *>(bytes), (size_t)n);
                if (at < there.size()) {
                    n = rig.io.write(rig.io.context, reinterpret_cast<const unsigned char *>(there.data()) + at, (unsigned int)(there.size() - at));
                    CHECK(n >= 0 && n <= (int)(there.size() - at));
                    at += (size_t)n;
                } else {
                    CHECK(rig.io.write(rig.io.context, bytes, 0) >= 0);
                }
            }
            for (int i = 0; i < 3000 && rig.io.write(rig.io.context, nullptr, 0) == 0; i++) { tick += 3; CHECK(rig.read_once() == 0); }
        }
        CHECK(got == down);
        CHECK(rig.fake.to_peer == up);
    }
}

void nothing_is_asked_for_without_need()
{
    Rig rig(SIM800);
    EQUAL(rig.open(), 1);
    size_t before = rig.fake.commands.size();
    for (int i = 0; i < 40; i++) { CHECK(rig.read_once() == 0); tick += 100; }        /* 4 s */
    EQUAL(rig.fake.commands.size(), before);
    rig.fake.told = true;                        /* it forgets to tell */
    rig.fake.give("news");
    EQUAL(rig.receive(4), "news");
}

void writes_are_gathered()
{
    Rig rig(ESP_AT, 64);
    EQUAL(rig.open(), 1);
    for (int i = 0; i < 10; i++) EQUAL(rig.io.write(rig.io.context, reinterpret_cast<const unsigned char *>("12345"), 5), 5);
    CHECK(rig.fake.to_peer.empty());
    EQUAL(rig.push(), 1);
    CHECK(rig.said("AT+CIPSEND=50"));
    EQUAL(rig.fake.to_peer.size(), 50u);
    EQUAL(rig.push(), 1);                        /* nothing is held: at once */
    unsigned char many[100];
    memset(many, 'x', sizeof many);
    EQUAL(rig.io.write(rig.io.context, many, sizeof many), 64);
    EQUAL(rig.push(), 1);
    EQUAL(rig.fake.to_peer.size(), 114u);
}

void a_silent_modem_is_reset()
{
    Rig rig(ESP_AT);
    rig.fake.mute = true;
    EQUAL(rig.open(), -1);
    EQUAL(rig.raw(), (long)IOTHUB_MODEM_ERROR_SILENT);
    EQUAL(rig.layer(), (int)IOTHUB_LAYER_TCP);
    EQUAL(rig.fake.resets, 0);
    EQUAL(rig.io.open(rig.io.context, "hub.example", 8883), -1);      /* until close */
    rig.io.close(rig.io.context);
    rig.io.close(rig.io.context);
    EQUAL(rig.open(), 1);
    EQUAL(rig.fake.resets, 2);
    rig.send("alive");
    EQUAL(rig.fake.to_peer, "alive");
}

void silence_in_each_phase_ends_the_stream()
{
    for (int phase = 0; phase < 4; phase++) {
        Rig rig(SIM800);
        EQUAL(rig.open(), 1);
        if (phase == 0) rig.fake.mute = true;
        if (phase == 1) rig.fake.keep_prompt = true;
        if (phase == 2) rig.fake.keep_taken = true;
        if (phase < 3) {
            CHECK(rig.io.write(rig.io.context, reinterpret_cast<const unsigned char *>("lost"), 4) == 4);
            EQUAL(rig.push(2000), -1);
        } else {                                 /* it announces ten bytes and gives three */
            rig.fake.instead_of_data = "\r\n+CIPRXGET: 2,10,0\r\nabc";
            rig.fake.give("0123456789");
            EQUAL(rig.receive(3), "abc");
            EQUAL(rig.die(), 1);
            rig.fake.instead_of_data.clear();
        }
        EQUAL(rig.raw(), (long)IOTHUB_MODEM_ERROR_SILENT);
        rig.io.close(rig.io.context);
        EQUAL(rig.open(2000), 1);
        EQUAL(rig.fake.resets, 2);
        rig.fake.to_peer.clear();
        rig.send("again");
        EQUAL(rig.fake.to_peer, "again");
    }
}

void refusals_have_their_numbers()
{
    struct { Family family; long raw; } cases[] = { { SIM800, IOTHUB_MODEM_ERROR_REFUSED }, { QUECTEL, 565 }, { QUECTEL_TLS, 565 },
        { ESP_AT, IOTHUB_MODEM_ERROR_REFUSED }, { ESP_AT_TLS, IOTHUB_MODEM_ERROR_REFUSED } };
    for (auto &c : cases) {
        Rig rig(c.family);
        rig.fake.refuse = true;
        EQUAL(rig.open(), -1);
        EQUAL(rig.raw(), c.raw);
        size_t commands = rig.fake.commands.size();
        rig.io.close(rig.io.context);
        EQUAL(rig.open(), -1);
        CHECK(rig.fake.commands[commands] != "AT");                /* close and open, without bringing it up again */
        rig.io.close(rig.io.context);
        rig.fake.refuse = false;
        commands = rig.fake.commands.size();
        EQUAL(rig.open(), 1);
        EQUAL(rig.fake.commands[commands], "AT");                  /* after the second time from the beginning */
    }
    const char *const bad[] = { "AT+NOSUCH", nullptr }, *const forgiven[] = { "-AT+NOSUCH", nullptr };
    Rig rig(SIM800, 64, bad), other(SIM800, 64, forgiven);
    EQUAL(rig.open(), -1);
    EQUAL(rig.raw(), 58L);
    EQUAL(other.open(), 1);
}

void last_words_are_read_after_the_end()
{
    for (Family family : ALL) {
        Rig rig(family);
        EQUAL(rig.open(), 1);
        rig.fake.give("sorry, not authorized");
        rig.fake.hang_up();
        CHECK(rig.io.write(rig.io.context, reinterpret_cast<const unsigned char *>("x"), 1) >= 0);     /* may find out, must not forget */
        EQUAL(rig.receive(1000, 7), "sorry, not authorized");
        EQUAL(rig.die(), 1);
        EQUAL(rig.raw(), 0L);
        rig.io.close(rig.io.context);
        EQUAL(rig.open(), 1);
    }
}

void a_modem_that_begins_anew_is_brought_up_again()
{
    Rig rig(ESP_AT);
    EQUAL(rig.open(), 1);
    size_t commands = rig.fake.commands.size();
    rig.fake.connected = false;
    rig.fake.echo = true;
    rig.fake.said = std::string("\x80\xFF\0rst:0x1\r\nready\r\n", 19);
    EQUAL(rig.die(), 1);
    EQUAL(rig.raw(), (long)IOTHUB_MODEM_ERROR_RESTARTED);
    rig.io.close(rig.io.context);
    EQUAL(rig.open(), 1);
    EQUAL(rig.fake.commands[commands], "AT");
    rig.send("hello");
    EQUAL(rig.fake.to_peer, "hello");
}

/* Closed at any moment of a sending command the next connection works, and has no byte of the old one. */
void close_in_any_phase()
{
    for (Family family : ALL) for (unsigned int steps = 0; steps < 120; steps++) {
        Rig rig(family, 64);
        rig.fake.write_most = 1;
        rig.fake.stall_every = 2;                /* each byte is a step */
        rig.fake.read_most = 1;
        EQUAL(rig.open(9000, 1), 1);
        rig.fake.give("from the old connection");
        CHECK(rig.io.write(rig.io.context, reinterpret_cast<const unsigned char *>("old bytes, old bytes, old bytes"), 31) == 31);
        for (unsigned int i = 0; i < steps; i++) {
            CHECK(rig.io.write(rig.io.context, nullptr, 0) >= 0);
            if (i % 3 == 0) CHECK(rig.read_once() >= 0);
        }
        rig.io.close(rig.io.context);
        rig.io.close(rig.io.context);
        EQUAL(rig.open(9000, 1), 1);
        rig.fake.to_peer.clear();
        rig.send("new");
        EQUAL(rig.fake.to_peer, "new");
        rig.fake.give("fresh");
        EQUAL(rig.receive(5), "fresh");
    }
}

void close_in_any_phase_of_opening()
{
    for (Family family : ALL) for (int calls = 1; calls < 60; calls++) {
        Rig rig(family);
        rig.fake.read_most = 1;
        rig.fake.write_most = 3;
        rig.fake.stall_every = 2;
        (void)rig.open(calls, 1);
        rig.io.close(rig.io.context);
        EQUAL(rig.open(9000, 1), 1);
        rig.send("new");
        EQUAL(rig.fake.to_peer, "new");
    }
}

void more_than_was_asked_is_the_end()
{
    for (Family family : { SIM800, QUECTEL, ESP_AT }) {
        Rig rig(family);
        EQUAL(rig.open(), 1);
        rig.fake.more_than_asked = 1;
        rig.fake.give(std::string(100, 'x'));
        EQUAL(rig.receive(100).size(), 0u);
        EQUAL(rig.layer(), (int)IOTHUB_LAYER_PROTOCOL);
        EQUAL(rig.raw(), (long)IOTHUB_MODEM_ERROR_ANSWER);
        rig.fake.more_than_asked = 0;
        rig.io.close(rig.io.context);
        EQUAL(rig.open(), 1);
    }
    for (const char *answer : { "\r\n+CIPRXGET: 2,4294967296,0\r\n", "\r\n+CIPRXGET: 2,99999999999999999999,0\r\n", "\r\n+CIPRXGET: 2,65,0\r\n",
                                "\r\n+CIPRXGET: 2,2,0\r\nab\r\n+CIPRXGET: 2,2,0\r\ncd\r\nOK\r\n" }) {
        Rig rig(SIM800);
        EQUAL(rig.open(), 1);
        rig.fake.instead_of_data = answer;
        rig.fake.give("x");
        CHECK(rig.receive(100).size() <= 2);
        EQUAL(rig.raw(), (long)IOTHUB_MODEM_ERROR_ANSWER);
    }
    for (const char *news : { "\r\n+CIPRXGET: 2,5,0\r\nabcde\r\nOK\r\n" }) {           /* nobody asked */
        Rig rig(SIM800);
        EQUAL(rig.open(), 1);
        rig.fake.said = news;
        EQUAL(rig.receive(100).size(), 0u);
        EQUAL(rig.raw(), (long)IOTHUB_MODEM_ERROR_ANSWER);
    }
    Rig rig(PUSHING);
    EQUAL(rig.open(), 1);
    rig.fake.said = "+IPD,32768:";
    EQUAL(rig.die(), 1);
    EQUAL(rig.raw(), (long)IOTHUB_MODEM_ERROR_ANSWER);
}

void more_taken_than_sent_is_the_end()
{
    Rig rig(SIM800);
    EQUAL(rig.open(), 1);
    rig.fake.keep_taken = true;
    CHECK(rig.io.write(rig.io.context, reinterpret_cast<const unsigned char *>("12345"), 5) == 5);
    EQUAL(rig.push(3), 0);
    rig.fake.line("DATA ACCEPT:6");
    EQUAL(rig.push(3), -1);
    EQUAL(rig.raw(), (long)IOTHUB_MODEM_ERROR_ANSWER);
}

void a_broken_serial_line_is_the_end()
{
    for (int way = 0; way < 3; way++) {
        Rig rig(SIM800);
        EQUAL(rig.open(), 1);
        if (way == 0) rig.modem.serial.read = [](void *, unsigned char *, unsigned int) { return -1; };
        if (way == 1) rig.modem.serial.read = [](void *, unsigned char *, unsigned int capacity) { return (int)capacity + 1; };
        if (way == 2) rig.modem.serial.write = [](void *, const unsigned char *, unsigned int size) { return (int)size + 1; };
        (void)rig.io.write(rig.io.context, reinterpret_cast<const unsigned char *>("x"), 1);
        CHECK(rig.push(3) == -1);
        EQUAL(rig.layer(), (int)IOTHUB_LAYER_PORT);
        EQUAL(rig.raw(), (long)IOTHUB_MODEM_ERROR_SERIAL);
    }
}

/* Whatever a modem says, the port answers in bounds and in time, and works again with a modem that behaves. */
void survives_any_answer()
{
    static const char *const words[] = { "OK\r\n", "ERROR\r\n", "\r\n", "> ", "+CIPRXGET: 2,", "+CIPRXGET: 1\r\n", "+IPD,", "+CIPRECVDATA:", "40", "7,",
        "0\r\n", ":", "CLOSED\r\n", "SEND OK\r\n", "DATA ACCEPT:", "+QIRD: 9\r\n", "CONNECT OK\r\n", "ready\r\n", "+CME ERROR: 4294967295\r\n", "+QIURC: \"recv\",0\r\n",
        "AT+CIPSEND=5\r\r\n", "4294967295", "\r", "+CCLK: \"", "99/99/99,99:99:99+99\"\r\n", "+SYSTIMESTAMP:", "+QIOPEN: 0,0\r\n", "SHUT OK\r\n" };
    uint32_t seed = 1;
    for (int life = 0; life < 3000; life++) {
        Rig rig(ALL[life % 6], 16 + (unsigned int)life % 90);
        auto next = [&seed] { return (seed = seed * 1664525u + 1013904223u) >> 12; };
        for (int step = 0; step < 120; step++) {
            unsigned char bytes[80];
            if (next() % 3 == 0) rig.fake.said += next() % 4 == 0 ? noise(seed, next() % 30) : words[next() % (sizeof words / sizeof *words)];
            rig.fake.mute = next() % 16 == 0;
            switch (next() % 6) {
            case 0: (void)rig.io.open(rig.io.context, "hub.example", 8883); break;
            case 1: { unsigned int capacity = 1 + next() % 64; CHECK(rig.io.read(rig.io.context, bytes, capacity) <= (int)capacity); break; }
            case 2: { unsigned int size = next() % 80; memset(bytes, 'd', sizeof bytes); int n = rig.io.write(rig.io.context, bytes, size); CHECK(n <= (int)(size ? size : 1)); break; }
            case 3: (void)rig.io.write(rig.io.context, bytes, 0); break;
            case 4: if (next() % 6 == 0) rig.io.close(rig.io.context); break;
            default: (void)iothub_modem_work(&rig.modem); break;
            }
            tick += next() % (next() % 10 == 0 ? 40000 : 300);
            if (rig.layer() != 0 && next() % 4 == 0) rig.io.close(rig.io.context);
        }
        rig.fake.mute = rig.fake.connected = false;
        rig.fake.said.clear();
        bool works = false;
        for (int attempt = 0; attempt < 6 && !works; attempt++) {
            rig.io.close(rig.io.context);
            works = rig.open(3000) == 1;
        }
        CHECK(works);
        rig.fake.to_peer.clear();
        rig.send("well");
        EQUAL(rig.fake.to_peer, "well");
    }
}

void knows_the_time()
{
    struct { const char *text; uint32_t seconds; } cases[] = {
        { "+CCLK: \"26/11/21,14:30:00+08\"", 1795264200u },         /* date -u -d '2026-11-21 12:30:00' +%s */
        { "+CCLK: \"24/02/29,23:59:59+00\"", 1709251199u },
        { "+CCLK: \"24/03/01,00:00:00+00\"", 1709251200u },
        { "+CCLK: \"25/01/01,00:00:00-20\"", 1735707600u },
        { "+CCLK: \"28/12/31,23:00:00\"", 1861916400u },
        { "+CCLK: \"79/12/31,23:59:60+00\"", 3471292800u },
        { "+CCLK: \"80/01/06,00:00:10+00\"", 0 }, { "+CCLK: \"04/01/01,00:00:10+00\"", 0 }, { "+CCLK: \"26/13/01,00:00:00+00\"", 0 },
        { "+CCLK: \"26/00/01,00:00:00+00\"", 0 }, { "+CCLK: \"26/11/2\"", 0 }, { "+CCLK: \"\"", 0 }, { "+CCLK: \"26/1x/21,14:30:00+08\"", 0 },
        { "+CCLK: nothing", 0 },
    };
    for (auto &c : cases) {
        Rig rig(SIM800);
        rig.fake.clock = c.text;
        for (int i = 0; i < 40 && !iothub_modem_work(&rig.modem); i++) tick += 10;
        uint32_t since = rig.modem.clock_tick;
        tick = since + 7000;
        EQUAL(iothub_modem_unix_time(&rig.modem), c.seconds == 0 ? 0 : c.seconds + 7);
        if (c.seconds == 0) {                    /* it is asked again, and again */
            rig.fake.clock = cases[0].text;
            for (int i = 0; i < 2000 && iothub_modem_unix_time(&rig.modem) == 0; i++) { iothub_modem_work(&rig.modem); tick += 10; }
            CHECK(iothub_modem_unix_time(&rig.modem) >= cases[0].seconds);
        }
    }
    Rig esp(ESP_AT);
    for (int i = 0; i < 40 && !iothub_modem_work(&esp.modem); i++) tick += 10;
    CHECK(iothub_modem_unix_time(&esp.modem) - 1795271400u < 2u);
    for (int day = 0; day < 120; day++) { tick += 86400000u; (void)iothub_modem_unix_time(&esp.modem); }
    CHECK(iothub_modem_unix_time(&esp.modem) - 1795271400u - 120u * 86400u < 2u);     /* the tick wrapped twice */
}

void work_brings_it_up_and_hangs_up()
{
    Rig rig(ESP_AT);
    rig.fake.mute = true;
    for (int i = 0; i < 600; i++) { CHECK(!iothub_modem_work(&rig.modem)); tick += 10; }
    rig.fake.mute = false;
    int calls = 0;
    for (; calls < 4000 && !iothub_modem_work(&rig.modem); calls++) tick += 10;
    CHECK(calls < 4000);
    EQUAL(rig.open(3), 1);                       /* the rest was done before */
    CHECK(iothub_modem_work(&rig.modem) == 0);
    rig.io.close(rig.io.context);
    CHECK(rig.fake.connected);
    for (int i = 0; i < 100 && !iothub_modem_work(&rig.modem); i++) tick += 10;
    CHECK(!rig.fake.connected);
}

/* ---- The contract of IOTHUB_IO, as tests/ports tries every port ---- */

struct Contract {
    Contract(Family family, unsigned int buffer_size) : rig(family, buffer_size) {}
    Rig rig;
    std::string broken;

    static Contract *of(void *context) { return static_cast<Contract *>(context); }
    static unsigned int expect(void *context, int how)
    {
        Modem &fake = of(context)->rig.fake;
        if (fake.connected) fake.hang_up();
        fake.refuse = how == CONFORMANCE_REFUSE;
        fake.never_opens = how == CONFORMANCE_SILENCE;
        fake.to_peer.clear();
        fake.from_peer.clear();
        return 8883;
    }
    static int send(void *context, const unsigned char *bytes, unsigned int size)
    {
        Modem &fake = of(context)->rig.fake;
        if (!fake.connected) return -1;
        if (fake.from_peer.size() + fake.said.size() > 100000) return 0;
        size = size < 1000 ? size : 1000;
        fake.give(std::string(reinterpret_cast<const char *>(bytes), size));
        return (int)size;
    }
    static int receive(void *context, unsigned char *bytes, unsigned int capacity)
    {
        Modem &fake = of(context)->rig.fake;
        size_t n = fake.to_peer.size() < capacity ? fake.to_peer.size() : capacity;
        if (n == 0) return fake.connected ? 0 : -1;
        memcpy(bytes, fake.to_peer.data(), n);
        fake.to_peer.erase(0, n);
        fake.taken();
        return (int)n;
    }
    static void end(void *context, int cut)
    {
        Modem &fake = of(context)->rig.fake;
        if (cut) fake.from_peer.clear();
        fake.hang_up();
    }
    static void step(void *context)
    {
        tick += 1;
        (void)iothub_modem_work(&of(context)->rig.modem);
    }
    static void tell(void *context, int ok, const char *what)
    {
        if (ok == 0) of(context)->broken += std::string(what) + "; ";
    }
};

void keeps_the_contract()
{
    for (Family family : ALL) for (unsigned int buffer : { 16u, 256u }) {
        Contract contract(family, buffer);
        struct conformance_peer peer = { &contract, Contract::expect, Contract::send, Contract::receive, Contract::end, Contract::step, nullptr };
        struct conformance test = {};
        std::string name = "dialect " + std::to_string(family);
        contract.rig.fake.peer_holds = 5000;
        contract.rig.fake.read_most = 40;
        test.name = name.c_str();
        test.io = &contract.rig.io;
        test.host = "hub.example";
        test.peer = &peer;
        test.tell = Contract::tell;
        test.tell_context = &contract;
        test.fetches = family != PUSHING;
        int broken = conformance_run(&test);
        /* What ports/modem/README.md says of two kinds: ESP-AT does nothing else while it waits for room; and what was given and not
           read yet stands before the answers to all else. The others keep all of it. */
        Strings known;
        if (family == ESP_AT || family == ESP_AT_TLS) known = { "5: reading goes on while writing is stopped", "4: and writing goes on, with the next byte" };
        if (family == PUSHING) known = { "6: nothing of a closed connection is in the next one" };
        std::string expected;
        for (const std::string &point : known) expected += name + ": " + point + "; ";
        EQUAL(contract.broken, expected);
        EQUAL(broken, (long long)known.size());
        CHECK(test.checks > 20);
    }
}

struct { const char *name; void (*run)(); } tests[] = {
    { "says what its dialect says, in this order", says_what_its_dialect_says },
    { "only a dialect with TLS fills the platform's stream", only_a_secured_dialect_fills_the_platform },
    { "init refuses small buffers, poor dialects, missing functions", refuses_what_it_cannot_work_with },
    { "a host name cannot bring commands along", a_host_cannot_bring_commands_along },
    { "carries any bytes both ways, over any serial line, six dialects", carries_any_bytes },
    { "asks when told, and now and then when not", nothing_is_asked_for_without_need },
    { "writes are gathered until pushed or full", writes_are_gathered },
    { "a silent modem is an error, and reset at the next open", a_silent_modem_is_reset },
    { "silence in each phase ends the stream", silence_in_each_phase_ends_the_stream },
    { "refusals carry the modem's number; the second one brings it up anew", refusals_have_their_numbers },
    { "what came before the end is read", last_words_are_read_after_the_end },
    { "a modem that restarts is brought up again", a_modem_that_begins_anew_is_brought_up_again },
    { "close at each step of a sending command", close_in_any_phase },
    { "close at each step of opening", close_in_any_phase_of_opening },
    { "more bytes than asked for end the stream", more_than_was_asked_is_the_end },
    { "more bytes taken than were sent end the stream", more_taken_than_sent_is_the_end },
    { "a broken serial line ends the stream", a_broken_serial_line_is_the_end },
    { "survives 3,000 lives of random answers", survives_any_answer },
    { "knows the time from +CCLK and from seconds", knows_the_time },
    { "work brings the modem up, and hangs up", work_brings_it_up_and_hangs_up },
    { "keeps the contract of IOTHUB_IO (tests/ports/conformance.h); but for what README says", keeps_the_contract },
};

} // namespace

int main()
{
    int failed = 0;
    for (auto &test : tests) {
        try {
            test.run();
            printf("ok    modem: %s\n", test.name);
        } catch (const Failed &why) {
            failed++;
            printf("FAIL  modem: %s\n      line %d: %s\n", test.name, why.line, why.what.c_str());
        }
        fflush(stdout);
    }
    return failed != 0;
}
