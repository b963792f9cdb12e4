// measure SECONDS YARDSTICK_SECONDS MEBIBYTES YARDSTICK... -- COMMAND...: runs both commands, and
// fails where COMMAND takes more user CPU time than SECONDS, or more memory than MEBIBYTES. SECONDS
// are those of a machine where YARDSTICK takes YARDSTICK_SECONDS: slower machines get as much more,
// and faster ones as much less. Other programs share the machine, and its speed changes from one
// minute to the next: the command is held to the mean of the yardsticks right before and after it,
// an eighth is allowed for what their ratio varies by (3.0 to 3.3, of the same two commands within
// minutes), and the majority of up to three such comparisons counts.
// measure -- COMMAND...: says what one run takes.
#include <cstdio>
#include <cstdlib>
#include <cstring>
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
    if (argc > 2 && std::strcmp(argv[1], "--") == 0) {
        const Cost cost = run(argv + 2);
        std::printf("%.1f s of user time, %.0f MiB\n", cost.seconds, cost.mebibytes);
        return 0;
    }
    int separator = 4;
    while (separator < argc && std::strcmp(argv[separator], "--") != 0) ++separator;
    if (separator == 4 || separator + 1 >= argc) {
        std::fprintf(stderr,
                     "usage: measure SECONDS YARDSTICK_SECONDS MEBIBYTES YARDSTICK... -- "
                     "COMMAND...\n");
        return 2;
    }
    argv[separator] = nullptr;
    const Cost limit{std::atof(argv[1]), std::atof(argv[3])};
    const double usual = std::atof(argv[2]);
    for (int within = 0, beyond = 0; within < 2 && beyond < 2;) {
        double yardstick = run(argv + 4).seconds;
        const Cost cost = run(argv + separator + 1);
        for (int i = 0; i < 2; ++i) yardstick += run(argv + 4).seconds;
        yardstick /= 3;
        const double here = 1.125 * limit.seconds * yardstick / usual;
        std::printf(
            "%.1f s of user time (limit %.1f: %.0f where the yardstick takes %.2f, not %.2f), "
            "%.0f MiB (limit %.0f)\n",
            cost.seconds, here, limit.seconds, usual, yardstick, cost.mebibytes, limit.mebibytes);
        if (cost.mebibytes > limit.mebibytes) return 1;  // no noise in that
        ++(cost.seconds <= here ? within : beyond);
        if (within == 2) return 0;
    }
    return 1;
}
