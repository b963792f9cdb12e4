// What the example programs share: parse the options, do the work, and turn whatever goes wrong
// into one line on standard error and exit code 1.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <string>

/// A message for a terminal: its first line, and not more of a long list than one wants to read.
inline std::string one_line(const std::string& message) {
    constexpr std::size_t kLongest = 800;
    const std::string line = message.substr(0, message.find('\n'));
    if (line.size() <= kLongest) return line;
    return line.substr(0, kLongest) + " ... (" + std::to_string(line.size() - kLongest) +
           " characters more)";
}

template <class Body>
int run_program(const char* name, CLI::App& app, int argc, char** argv, Body&& body) {
    const auto fail = [&](const std::string& what) {
        std::fprintf(stderr, "%s: %s\n", name, one_line(what).c_str());
        return 1;
    };
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        if (e.get_exit_code() == 0) return app.exit(e);  // --help
        return fail(std::string(e.what()) + "; see --help");
    }
    try {
        return body();
    } catch (const std::exception& e) {
        return fail(e.what());
    }
}
