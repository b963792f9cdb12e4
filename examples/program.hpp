// What the example programs share: parse the options, do the work, and turn whatever goes wrong
// into one line on standard error and exit code 1.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <string>

template <class Body>
int run_program(const char* name, CLI::App& app, int argc, char** argv, Body&& body) {
    const auto fail = [&](const std::string& what) {
        std::fprintf(stderr, "%s: %s\n", name, what.substr(0, what.find('\n')).c_str());
        return 1;
    };
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        if (e.get_exit_code() == 0) return app.exit(e);  // --help
        return fail(std::string(e.what()) + "; see --help");
    }
    try {
        body();
        return 0;
    } catch (const std::exception& e) {
        return fail(e.what());
    }
}
