/* Processes that a test starts, talks to and always ends. */
#ifndef PROCESS_H
#define PROCESS_H

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdexcept>
#include <string>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

typedef std::chrono::steady_clock Clock;

inline long elapsed_ms(Clock::time_point since)
{
    return (long)std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - since).count();
}

class Process {
public:
    explicit Process(const std::vector<std::string> &command)
    {
        int in[2], out[2];
        if (pipe(in) != 0 || pipe(out) != 0) throw std::runtime_error("pipe");
        child = fork();
        if (child == 0) {
            std::vector<char *> arguments;
            for (auto &word : command) arguments.push_back(const_cast<char *>(word.c_str()));
            arguments.push_back(NULL);
            dup2(in[0], 0);
            dup2(out[1], 1);
            for (int fd = 3; fd < 64; ++fd) close(fd);
            execvp(arguments[0], arguments.data());
            _exit(127);
        }
        close(in[0]);
        close(out[1]);
        to = in[1];
        from = out[0];
        fcntl(from, F_SETFL, O_NONBLOCK);
        fcntl(from, F_SETFD, FD_CLOEXEC);
        fcntl(to, F_SETFD, FD_CLOEXEC);
    }
    ~Process() { end(SIGKILL); }

    /* Ends the process and answers its exit code, or -1 when it had to be killed. */
    int end(int signal_number = SIGTERM)
    {
        if (child <= 0) return code;
        close(to);
        kill(child, signal_number);
        Clock::time_point start = Clock::now();
        int status = 0;
        pid_t done = 0;
        while ((done = waitpid(child, &status, WNOHANG)) == 0 && elapsed_ms(start) < 5000) usleep(2000);
        if (done == 0) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
        }
        close(from);
        child = 0;
        return code = done != 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    void say(const std::string &line)
    {
        std::string text = line + "\n";
        if (write(to, text.data(), text.size()) != (ssize_t)text.size()) throw std::runtime_error("the process does not listen");
    }
    /* The next line that it printed; empty when none came in time. */
    std::string line(int milliseconds)
    {
        Clock::time_point start = Clock::now();
        for (;;) {
            size_t end_of_line = buffer.find('\n');
            if (end_of_line != std::string::npos) {
                std::string found = buffer.substr(0, end_of_line);
                buffer.erase(0, end_of_line + 1);
                return found;
            }
            char bytes[65536];
            ssize_t size = read(from, bytes, sizeof bytes);
            if (size > 0) {
                buffer.append(bytes, (size_t)size);
                continue;
            }
            long left = milliseconds - elapsed_ms(start);
            if (size == 0 || left <= 0) return "";
            struct pollfd wait = { from, POLLIN, 0 };
            poll(&wait, 1, (int)left);
        }
    }

private:
    Process(const Process &);
    Process &operator=(const Process &);
    pid_t child;
    int to, from, code = -1;
    std::string buffer;
};

/* The value of a member of a one-line JSON object, as it stands there; strings without their quotes. */
inline std::string json(const std::string &line, const std::string &name)
{
    size_t at = line.find("\"" + name + "\":");
    if (at == std::string::npos) return "";
    at += name.size() + 3;
    size_t end = at, depth = 0;
    bool quoted = false;
    for (; end < line.size(); ++end) {
        char c = line[end];
        if (quoted) {
            if (c == '\\') ++end;
            else if (c == '"') quoted = false;
        } else if (c == '"') quoted = true;
        else if (c == '{' || c == '[') ++depth;
        else if ((c == '}' || c == ']') && depth-- == 0) break;
        else if (c == ',' && depth == 0) break;
    }
    std::string value = line.substr(at, end - at);
    return value.size() >= 2 && value[0] == '"' ? value.substr(1, value.size() - 2) : value;
}

/* A directory that goes away with its object. */
struct Folder {
    std::string path;
    Folder()
    {
        char name[] = "/tmp/iothub-test-XXXXXX";
        path = mkdtemp(name);
    }
    ~Folder() { run("rm -rf '" + path + "'"); }
    static int run(const std::string &command) { return std::system(command.c_str()); }
};

inline std::string read_file(const std::string &path)
{
    std::string text;
    if (FILE *file = std::fopen(path.c_str(), "rb")) {
        char bytes[4096];
        for (size_t size; (size = std::fread(bytes, 1, sizeof bytes, file)) > 0;) text.append(bytes, size);
        std::fclose(file);
    }
    return text;
}

#endif
