// measure SECONDS MEBIBYTES COMMAND...: runs a command, and fails where it takes more user CPU time
// or more memory. CPU time, and the best of three runs: other programs share the machine.
#include <cstdio>
#include <cstdlib>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct Cost {
    double seconds;
    double mebibytes;
};

/// The cost of one run of the command, its children included; exits where the command fails.
Cost run(char** command) {
    const pid_t child = fork();
    if (child == 0) {
        execvp(command[0], command);
        std::perror(command[0]);
        _exit(127);
    }
    int status = 0;
    rusage usage{};
    if (child < 0 || wait4(child, &status, 0, &usage) < 0) {
        std::perror("measure");
        std::exit(2);
    }
    if (status != 0) {
        std::fprintf(stderr, "measure: the command failed\n");
        std::exit(2);
    }
    return {static_cast<double>(usage.ru_utime.tv_sec) +
                static_cast<double>(usage.ru_utime.tv_usec) * 1e-6,
            static_cast<double>(usage.ru_maxrss) / 1024};
}

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: measure SECONDS MEBIBYTES COMMAND...\n");
        return 2;
    }
    const Cost limit{std::atof(argv[1]), std::atof(argv[2])};
    for (int attempt = 1; attempt <= 3; ++attempt) {
        const Cost cost = run(argv + 3);
        std::printf("%.1f s of user time (limit %.0f), %.0f MiB (limit %.0f)\n", cost.seconds,
                    limit.seconds, cost.mebibytes, limit.mebibytes);
        if (cost.seconds <= limit.seconds && cost.mebibytes <= limit.mebibytes) return 0;
        if (cost.mebibytes > limit.mebibytes) return 1;  // no noise in that
    }
    return 1;
}
