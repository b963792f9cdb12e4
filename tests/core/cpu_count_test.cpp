#include <lumbar/core/cpu_count.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <map>
#include <string>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

namespace cpu_count_test {

namespace {
namespace detail = lumbar::detail;
constexpr int kUnlimited = detail::kUnlimitedCpus;
}  // namespace

TEST_CASE("cpu.max says a number of processors, rounded up") {
    struct Case {
        const char* text;
        int cpus;
    };
    constexpr Case cases[] = {
        {"max 100000\n", kUnlimited},
        {"100000 100000\n", 1},
        {"150000 100000\n", 2},
        {"200000 100000\n", 2},
        {"200001 100000", 3},
        {"5000 100000", 1},
        {"1600000 50000\n", 32},
        {"9223372036854775807 1\n", kUnlimited},
        // What no kernel writes is no limit.
        {"", kUnlimited},
        {"\n", kUnlimited},
        {"100000", kUnlimited},
        {"100000 0", kUnlimited},
        {"100000 -1", kUnlimited},
        {"-1 100000", kUnlimited},
        {"0 100000", kUnlimited},
        {"99999999999999999999 100000", kUnlimited},
        {"two 100000", kUnlimited},
    };
    for (const Case& c : cases) {
        CAPTURE(c.text);
        CHECK(detail::parse_cpu_max(c.text) == c.cpus);
    }
}

TEST_CASE("a quota of v1 is -1 where there is none") {
    CHECK(detail::quota_cpus(-1, 100000) == kUnlimited);
    CHECK(detail::quota_cpus(250000, 100000) == 3);
    CHECK(detail::quota_cpus(1000, 100000) == 1);
}

TEST_CASE("a process's groups are found in /proc/self/cgroup") {
    struct Case {
        const char* text;
        const char* v2;
        const char* v1;
    };
    constexpr Case cases[] = {
        {"0::/user.slice/session-1.scope\n", "/user.slice/session-1.scope", ""},
        {"0::/\n", "/", ""},
        {"5:memory:/a\n4:cpu,cpuacct:/docker/1f\n0::/b\n", "/b", "/docker/1f"},
        {"4:cpuacct,cpu:/x\n", "", "/x"},
        {"3:cpuset:/s\n2:cpuacct:/a\n1:cpu:/c", "", "/c"},
        {"1:name=systemd:/with:colon\n0::/also:colon\n", "/also:colon", ""},
        {"", "", ""},
        {"rubbish", "", ""},
        {"\n\n::\n", "", ""},
    };
    for (const Case& c : cases) {
        CAPTURE(c.text);
        const detail::CgroupPaths paths = detail::parse_cgroup_paths(c.text);
        CHECK(paths.v2 == c.v2);
        CHECK(paths.v1 == c.v1);
    }
}

TEST_CASE("the mounted hierarchies are found in /proc/self/mountinfo") {
    constexpr const char* text =
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "30 22 0:26 / /sys/fs/cgroup ro shared:9 - tmpfs tmpfs ro,mode=755\n"
        "31 30 0:27 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw,nsdelegate\n"
        "33 30 0:29 /docker/1f /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
        "34 30 0:30 /docker/1f /sys/fs/cgroup/cpu,cpuacct rw master:5 - cgroup cgroup "
        "rw,cpu,cpuacct\n"
        "35 30 0:31 / /broken\n"
        "\n"
        "36";
    const detail::CgroupMounts mounts = detail::parse_cgroup_mounts(text);
    CHECK(mounts.v2.root == "/");
    CHECK(mounts.v2.point == "/sys/fs/cgroup/unified");
    CHECK(mounts.v1.root == "/docker/1f");
    CHECK(mounts.v1.point == "/sys/fs/cgroup/cpu,cpuacct");
    CHECK(detail::parse_cgroup_mounts("").v2.point.empty());
}

TEST_CASE("a group's path is taken relative to what is mounted") {
    struct Case {
        const char* path;
        const char* root;
        const char* below;
    };
    constexpr Case cases[] = {
        {"/", "/", ""},
        {"/a/b", "/", "/a/b"},
        {"/docker/1f", "/docker/1f", ""},
        {"/docker/1f/job", "/docker/1f", "/job"},
        {"/docker/1f/", "/docker/1f", ""},
        {"/docker/1f2", "/docker/1f", ""},
        {"/elsewhere", "/docker/1f", ""},
        {"/../outside", "/", ""},
    };
    for (const Case& c : cases) {
        CAPTURE(c.path);
        CAPTURE(c.root);
        CHECK(detail::path_below(c.path, c.root) == c.below);
    }
}

TEST_CASE("the smallest limit on the way up counts") {
    const std::map<std::string, int> limits = {
        {"/m/a/b/c", 8}, {"/m/a/b", 3}, {"/m/a", 6}, {"/m", kUnlimited}};
    std::vector<std::string> seen;
    const auto limit_of = [&](const std::string& folder) {
        seen.push_back(folder);
        return limits.at(folder);
    };
    CHECK(detail::smallest_limit({"/", "/m"}, "/a/b/c", limit_of) == 3);
    CHECK(seen == std::vector<std::string>{"/m/a/b/c", "/m/a/b", "/m/a", "/m"});
    CHECK(detail::smallest_limit({"/a", "/m"}, "/a", limit_of) == kUnlimited);
    CHECK(detail::smallest_limit({"/a", "/m"}, "/a/a", limit_of) == 6);

    // Not mounted, or no group of that kind: nothing is read.
    seen.clear();
    CHECK(detail::smallest_limit({}, "/a", limit_of) == kUnlimited);
    CHECK(detail::smallest_limit({"/", "/m"}, "", limit_of) == kUnlimited);
    CHECK(seen.empty());
}

TEST_CASE("a file that cannot be read is empty") {
    CHECK(detail::read_small_file("/no/such/file").empty());
}

TEST_CASE("there is at least one processor, and not more than the machine has") {
    const int cpus = lumbar::available_cpus();
    CHECK(cpus >= 1);
    const unsigned machine = std::thread::hardware_concurrency();
    if (machine > 0) CHECK(cpus <= static_cast<int>(machine));
}

#if defined(__linux__)
TEST_CASE("a thread that is bound to one core counts one") {
    cpu_set_t original;
    CPU_ZERO(&original);
    if (sched_getaffinity(0, sizeof original, &original) != 0) {
        MESSAGE("skipped: the affinity cannot be read");
        return;
    }
    std::size_t first = 0;
    while (!CPU_ISSET(first, &original)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    int cpus = 0;
    std::thread([&] {
        if (sched_setaffinity(0, sizeof one, &one) == 0) cpus = lumbar::available_cpus();
    }).join();
    CHECK(cpus == 1);
}
#endif

}  // namespace cpu_count_test
