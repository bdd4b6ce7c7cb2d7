/* The emulator as a process: its events, and its commands. */
#ifndef HUB_H
#define HUB_H

#include "process.h"

class Hub {
public:
    explicit Hub(const std::vector<std::string> &options) : process(command(options))
    {
        std::string ready;
        for (int i = 0; i < 50 && json(ready, "event") != "ready"; ++i) {
            ready = process.line(10000);
            if (ready.empty()) break;
        }
        if (json(ready, "event") != "ready") throw std::runtime_error("the emulator did not start: " + ready);
        port = json(ready, "port");
        proxy_port = json(ready, "proxyPort");
        root = read_file(json(ready, "ca"));
        strings = json(ready, "connectionStrings");
    }
    std::string connection(const std::string &id) const { return json(strings, id); }
    /* Its answer, which comes behind all that happened before. */
    std::string command_line(const std::string &line)
    {
        Clock::time_point start = Clock::now();
        process.say(line);
        while (elapsed_ms(start) < 5000) {
            std::string answer = process.line(50);
            if (!answer.empty()) events.push_back(answer);
            if (json(answer, "event") == "ok") return answer;
            if (json(answer, "event") == "error") throw std::runtime_error("the emulator did not take: " + answer);
        }
        throw std::runtime_error("the emulator did not answer: " + line);
    }
    void fault(const std::string &setting) { command_line("fault " + setting); }
    /* Reads what it printed so far. */
    void listen(int milliseconds = 0)
    {
        for (std::string line; !(line = process.line(milliseconds)).empty();) events.push_back(line);
    }
    std::string wait_for(const std::string &event, int milliseconds)
    {
        Clock::time_point start = Clock::now();
        while (elapsed_ms(start) < milliseconds) {
            std::string line = process.line(50);
            if (line.empty()) continue;
            events.push_back(line);
            if (json(line, "event") == event) return line;
        }
        return "";
    }
    /* The events of this kind that it has told so far, without waiting. */
    std::vector<std::string> seen(const std::string &event)
    {
        std::vector<std::string> found;
        listen();
        for (auto &line : events) if (json(line, "event") == event) found.push_back(line);
        return found;
    }
    std::vector<std::string> all(const std::string &event)
    {
        std::vector<std::string> found;
        listen(100);
        for (auto &line : events) if (json(line, "event") == event) found.push_back(line);
        return found;
    }
    int end() { return process.end(); }

    std::string port, proxy_port, root;
    std::vector<std::string> events;

private:
    static std::vector<std::string> command(const std::vector<std::string> &options)
    {
        std::vector<std::string> words = { "node", "tools/emulator/main.js", "--json", "--control", "--strict" };
        bool has_port = false;
        for (auto &option : options) {
            has_port |= option == "--port";
            words.push_back(option);
        }
        if (!has_port) { words.push_back("--port"); words.push_back("0"); }
        return words;
    }
    Process process;
    std::string strings;
};

#endif
