#include "support.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <fcntl.h>
#include <signal.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

namespace {

struct Directory {
    Directory() : path("/tmp/iothub_ports_XXXXXX")
    {
        if (mkdtemp(&path[0]) == nullptr ||
            std::system((std::string(IOTHUB_TEST_CERTIFICATES) + " " + path + " 2>" + path + "/log").c_str()) != 0) {
            throw std::runtime_error("certificates.sh failed in " + path);
        }
    }
    ~Directory()
    {
        if (std::system(("rm -r " + path).c_str()) != 0) {
            std::perror("rm");
        }
    }
    std::string path;
};

std::string read_file(const std::string &path)
{
    std::ifstream file(path.c_str(), std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}

void pause_milliseconds(long milliseconds)
{
    struct timespec span;
    span.tv_sec = milliseconds / 1000;
    span.tv_nsec = milliseconds % 1000 * 1000000;
    nanosleep(&span, nullptr);
}

std::string certificate_path(const std::string &name)
{
    static Directory directory;
    return directory.path + "/" + name;
}

std::string certificate_text(const std::string &name)
{
    return read_file(certificate_path(name));
}

/* ---- Server ---- */

Server::Server(const std::string &chain, const std::string &choice) : port(0), child(-1), keyboard(-1), log_path()
{
    std::string options = choice;
    int ends[2];
    static int number = 0;
    const std::string path = certificate_path("");
    std::vector<std::string> words;
    std::vector<char *> arguments;
    const size_t plain = options.find("-plain");
    if (plain != std::string::npos) {
        options.erase(plain, 6);
    } else if (options.find("-www") == std::string::npos) {
        options += " -rev";
    }
    std::string line = "openssl s_server -accept 127.0.0.1:0 -cert " + path + chain + "_server.pem -key " + path +
                       chain + "_server.key " + options;
    std::string word;

    if (!certificate_text(chain + "_chain.pem").empty()) {
        line += " -cert_chain " + path + chain + "_chain.pem";
    }
    std::istringstream rest(line);
    log_path = path + "server" + std::to_string(++number) + ".log";
    while (rest >> word) {
        words.push_back(word);
    }
    for (std::string &each : words) {
        arguments.push_back(&each[0]);
    }
    arguments.push_back(nullptr);
    if (pipe(ends) != 0) {
        throw std::runtime_error("pipe");
    }
    child = fork();
    if (child == 0) {
#ifdef __linux__
        prctl(PR_SET_PDEATHSIG, SIGKILL);        /* a test program that crashes takes its servers with it */
#endif
        dup2(ends[0], 0);
        ::close(ends[1]);
        int file = ::open(log_path.c_str(), O_CREAT | O_WRONLY, 0600);
        dup2(file, 1);
        dup2(file, 2);
        execvp(arguments[0], &arguments[0]);
        _exit(127);
    }
    ::close(ends[0]);
    keyboard = ends[1];
    fcntl(keyboard, F_SETFD, FD_CLOEXEC);
    if (!logs("ACCEPT 127.0.0.1:", 5000)) {
        throw std::runtime_error("openssl s_server did not start: " + log());
    }
    std::string text = log();
    port = static_cast<unsigned int>(std::stoul(text.substr(text.find("ACCEPT 127.0.0.1:") + 17)));
}

Server::~Server()
{
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    ::close(keyboard);
}

void Server::type(const std::string &text)
{
    if (::write(keyboard, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        throw std::runtime_error("write");
    }
}

std::string Server::log() const
{
    return read_file(log_path);
}

bool Server::logs(const std::string &text, int milliseconds) const
{
    for (int i = 0; i < milliseconds; i += 2) {
        const std::string now = log();
        const size_t at = now.find(text);
        if (at != std::string::npos && now.find('\n', at) != std::string::npos) {
            return true;
        }
        pause_milliseconds(2);
    }
    return false;
}

/* ---- Faults ---- */

Faults::Faults()
    : inner(), read_most(32767), write_most(32767), zero_every(0), die_after(-1), lie_read(false), lie_write(false),
      block_read(false), block_write(false), write_dies_when_readable(false), hold_writes(false), read_total(0), write_total(0), calls(0), held()
{
}

namespace {

bool is_dead(const Faults *faults)
{
    return faults->die_after >= 0 && faults->read_total + faults->write_total >= faults->die_after;
}

unsigned int allowed(const Faults *faults, unsigned int size, unsigned int most)
{
    if (faults->die_after >= 0) {
        const long left = faults->die_after - faults->read_total - faults->write_total;
        size = static_cast<long>(size) > left ? static_cast<unsigned int>(left) : size;
    }
    return size > most ? most : size;
}

bool is_zero_turn(Faults *faults)
{
    return faults->zero_every != 0 && ++faults->calls % faults->zero_every == 0;
}

int faults_open(void *context, const char *host, unsigned int port)
{
    Faults *faults = static_cast<Faults *>(context);
    return faults->inner.open(faults->inner.context, host, port);
}

int faults_read(void *context, unsigned char *bytes, unsigned int capacity)
{
    Faults *faults = static_cast<Faults *>(context);
    if (is_dead(faults)) {
        return -1;
    }
    if (faults->block_read || is_zero_turn(faults)) {
        return 0;
    }
    const int got = faults->inner.read(faults->inner.context, bytes, allowed(faults, capacity, faults->read_most));
    if (got > 0) {
        faults->read_total += got;
    }
    return faults->lie_read && got > 0 ? static_cast<int>(capacity) + 1 : got;
}

int faults_write(void *context, const unsigned char *bytes, unsigned int size)
{
    Faults *faults = static_cast<Faults *>(context);
    if (is_dead(faults)) {
        return -1;
    }
    if (size == 0) {
        while (!faults->held.empty()) {
            const int put = faults->inner.write(faults->inner.context,
                                                reinterpret_cast<const unsigned char *>(faults->held.data()),
                                                static_cast<unsigned int>(faults->held.size()));
            if (put <= 0) {
                return put;
            }
            faults->held.erase(0, static_cast<size_t>(put));
        }
        return faults->inner.write(faults->inner.context, bytes, 0);
    }
    if (faults->block_write || is_zero_turn(faults)) {
        return 0;
    }
    if (faults->write_dies_when_readable) {
        if (iothub_posix_wait(static_cast<IOTHUB_POSIX *>(faults->inner.context), 1) != 0) {
            return -1;
        }
    }
    size = allowed(faults, size, faults->write_most);
    if (faults->hold_writes) {
        faults->held.append(reinterpret_cast<const char *>(bytes), size);
        faults->write_total += static_cast<long>(size);
        return static_cast<int>(size);
    }
    const int put = faults->inner.write(faults->inner.context, bytes, size);
    if (put > 0) {
        faults->write_total += put;
    }
    return faults->lie_write && put > 0 ? 32767 : put;
}

void faults_close(void *context)
{
    Faults *faults = static_cast<Faults *>(context);
    faults->held.clear();
    faults->inner.close(faults->inner.context);
}

int faults_set_option(void *context, const char *name, const void *value)
{
    Faults *faults = static_cast<Faults *>(context);
    return faults->inner.set_option(faults->inner.context, name, value);
}

int faults_error(void *context, long *raw)
{
    Faults *faults = static_cast<Faults *>(context);
    return faults->inner.error(faults->inner.context, raw);
}

uint32_t (*real_milliseconds)(void *);
uint32_t (*real_unix_time)(void *);
int (*real_random)(void *, unsigned char *, unsigned int);

uint32_t link_milliseconds(void *context)
{
    static uint32_t tick = 0;
    return Link::tick_step == 0 ? real_milliseconds(context) : tick += Link::tick_step;
}

uint32_t link_unix_time(void *context)
{
    return Link::clock_unknown ? 0u : static_cast<uint32_t>(static_cast<long>(real_unix_time(context)) + Link::clock_shift);
}

int link_random(void *context, unsigned char *bytes, unsigned int size)
{
    return Link::entropy_missing ? -1 : real_random(context, bytes, size);
}

}

IOTHUB_IO Faults::io()
{
    IOTHUB_IO stream;
    stream.context = this;
    stream.open = faults_open;
    stream.read = faults_read;
    stream.write = faults_write;
    stream.close = faults_close;
    stream.set_option = faults_set_option;
    stream.error = faults_error;
    return stream;
}

/* ---- Link ---- */

long Link::clock_shift = 0;
bool Link::clock_unknown = false;
bool Link::entropy_missing = false;
uint32_t Link::tick_step = 0;

Link::Link(size_t buffer_size, size_t memory_size)
    : posix(), platform(), faults(), tls(), buffer(buffer_size), memory(memory_size), opens(0)
{
    iothub_posix_platform(&posix, &platform);
    real_milliseconds = platform.milliseconds;
    real_unix_time = platform.unix_time;
    real_random = platform.random;
    platform.milliseconds = link_milliseconds;
    platform.unix_time = link_unix_time;
    platform.random = link_random;
    faults.inner = *iothub_posix_tcp(&posix);
    const IOTHUB_IO lower = faults.io();
    if (iothub_bearssl_init(&tls, &lower, &platform, buffer.data(), buffer.size()) != 0) {
        throw std::runtime_error("iothub_bearssl_init");
    }
    iothub_bearssl_memory(&tls, memory.data(), memory.size());
}

Link::~Link()
{
    platform.io.close(platform.io.context);
}

int Link::option(const std::string &name, const void *value)
{
    return platform.io.set_option(platform.io.context, name.c_str(), value);
}

int Link::trust(const std::string &file)
{
    return option("TrustedCerts", certificate_text(file).c_str());
}

int Link::open(unsigned int port, const std::string &host)
{
    const uint32_t start = real_milliseconds(nullptr);

    for (opens = 1; real_milliseconds(nullptr) - start < 10000; opens++) {
        const int answer = platform.io.open(platform.io.context, host.c_str(), port);
        if (answer != 0) {
            return answer;
        }
        iothub_posix_wait(&posix, tick_step == 0 ? 1 : 0);
    }
    return -2;
}

int Link::push()
{
    const uint32_t start = real_milliseconds(nullptr);
    static const unsigned char none[1] = { 0 };

    while (real_milliseconds(nullptr) - start < 10000) {
        const int answer = platform.io.write(platform.io.context, none, 0);
        if (answer != 0) {
            return answer;
        }
        iothub_posix_wait(&posix, 1);
    }
    return -2;
}

int Link::error(long *raw)
{
    return platform.io.error(platform.io.context, raw);
}

std::string Link::line(const std::string &text)
{
    const std::string out = text + "\n";
    const uint32_t start = real_milliseconds(nullptr);
    std::string in;
    size_t sent = 0;

    while (real_milliseconds(nullptr) - start < 10000 && (in.empty() || in[in.size() - 1] != '\n')) {
        unsigned char bytes[300];
        const int got = platform.io.read(platform.io.context, bytes, sizeof bytes);
        if (got < 0 || got > static_cast<int>(sizeof bytes)) {
            return "dead";
        }
        in.append(reinterpret_cast<const char *>(bytes), static_cast<size_t>(got));
        if (sent < out.size()) {
            const int put = platform.io.write(platform.io.context,
                                              reinterpret_cast<const unsigned char *>(out.data()) + sent,
                                              static_cast<unsigned int>(out.size() - sent));
            if (put < 0) {
                return "dead";
            }
            sent += static_cast<size_t>(put);
        }
        if (platform.io.write(platform.io.context, bytes, 0) < 0) {
            return "dead";
        }
        if (got == 0) {
            iothub_posix_wait(&posix, 1);
        }
    }
    return in.empty() ? in : in.substr(0, in.size() - 1);
}

std::string status_page(Link &link)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    const uint32_t start = real_milliseconds(nullptr);
    unsigned char bytes[512];
    std::string page;

    if (link.platform.io.write(link.platform.io.context, reinterpret_cast<const unsigned char *>(request),
                               sizeof request - 1) != static_cast<int>(sizeof request - 1) ||
        link.push() != 1) {
        return "not sent";
    }
    while (real_milliseconds(nullptr) - start < 10000) {
        const int got = link.platform.io.read(link.platform.io.context, bytes, sizeof bytes);
        if (got < 0) {
            return page;
        }
        page.append(reinterpret_cast<const char *>(bytes), static_cast<size_t>(got));
        if (got == 0) {
            iothub_posix_wait(&link.posix, 1);
        }
    }
    return "no end";
}
