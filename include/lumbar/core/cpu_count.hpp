// How many processors this process may keep busy: the cores that its affinity allows, and not more
// than its control groups (containers) pay for.
#pragma once

#include <lumbar/config/config.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <string_view>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

LUMBAR_NAMESPACE_BEGIN
namespace detail {

/// No limit, or a text that says none.
inline constexpr int kUnlimitedCpus = std::numeric_limits<int>::max();

/// Cuts what precedes the separator off the text, and the separator with it.
constexpr std::string_view take_until(std::string_view& text, char separator) {
    const std::size_t end = std::min(text.find(separator), text.size());
    const std::string_view head = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return head;
}

/// The number at the head of the text, or -1.
inline std::int64_t leading_number(std::string_view text) {
    std::int64_t value = -1;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    return parsed.ec == std::errc{} ? value : -1;
}

/// Processors that `quota` microseconds in every `period` keep busy, rounded up.
constexpr int quota_cpus(std::int64_t quota, std::int64_t period) {
    if (quota <= 0 || period <= 0) return kUnlimitedCpus;
    const std::int64_t cpus = quota / period + (quota % period != 0);
    return static_cast<int>(std::min<std::int64_t>(cpus, kUnlimitedCpus));
}

/// A cpu.max file (cgroup v2): "150000 100000" is one and a half processors, so 2; "max 100000"
/// is no limit.
inline int parse_cpu_max(std::string_view text) {
    const std::int64_t quota = leading_number(take_until(text, ' '));
    return quota_cpus(quota, leading_number(text));
}

/// Where this process stands in the control groups, from /proc/self/cgroup; empty where it has no
/// group of that kind.
struct CgroupPaths {
    std::string_view v2;  ///< the unified hierarchy: "0::/user.slice"
    std::string_view v1;  ///< the cpu controller's own: "4:cpu,cpuacct:/docker/1f"
};

/// Whether a comma-separated list holds the word.
constexpr bool list_holds(std::string_view list, std::string_view word) {
    while (!list.empty()) {
        if (take_until(list, ',') == word) return true;
    }
    return false;
}

LUMBAR_COLD inline CgroupPaths parse_cgroup_paths(std::string_view text) {
    CgroupPaths paths;
    while (!text.empty()) {
        std::string_view line = take_until(text, '\n');
        const std::string_view id = take_until(line, ':');
        const std::string_view controllers = take_until(line, ':');
        if (id == "0" && controllers.empty()) paths.v2 = line;
        if (list_holds(controllers, "cpu")) paths.v1 = line;
    }
    return paths;
}

/// Where a control-group file system is mounted, from /proc/self/mountinfo: `point` in the file
/// tree shows the groups below `root`.
struct CgroupMount {
    std::string_view root;
    std::string_view point;
};
struct CgroupMounts {
    CgroupMount v2;
    CgroupMount v1;
};

/// A line reads "36 35 98:0 /root /point options ... - type source super-options".
LUMBAR_COLD inline CgroupMounts parse_cgroup_mounts(std::string_view text) {
    CgroupMounts mounts;
    while (!text.empty()) {
        std::string_view line = take_until(text, '\n');
        for (int skipped = 0; skipped < 3; ++skipped) take_until(line, ' ');
        CgroupMount mount;
        mount.root = take_until(line, ' ');
        mount.point = take_until(line, ' ');
        const std::size_t dash = line.find(" - ");
        if (dash == std::string_view::npos) continue;
        line.remove_prefix(dash + 3);
        const std::string_view type = take_until(line, ' ');
        take_until(line, ' ');
        if (type == "cgroup2") mounts.v2 = mount;
        if (type == "cgroup" && list_holds(line, "cpu")) mounts.v1 = mount;
    }
    return mounts;
}

/// The part of a group's path below what is mounted: "/docker/1f/job" under the root "/docker/1f"
/// is "/job". Empty, the mount itself, where the group lies outside of it.
constexpr std::string_view path_below(std::string_view path, std::string_view root) {
    if (path.find("/..") != std::string_view::npos) return {};
    if (root != "/") {
        if (path.substr(0, root.size()) != root) return {};
        path.remove_prefix(root.size());
        if (!path.empty() && path.front() != '/') return {};
    }
    while (!path.empty() && path.back() == '/') path.remove_suffix(1);
    return path;
}

/// The smallest limit from a group up to the mount. `limit_of(folder)` reads one group's.
template <class LimitOf>
int smallest_limit(const CgroupMount& mount, std::string_view path, LimitOf&& limit_of) {
    int smallest = kUnlimitedCpus;
    if (mount.point.empty() || path.empty()) return smallest;
    for (std::string_view below = path_below(path, mount.root);;) {
        smallest = std::min(smallest, limit_of(std::string(mount.point) + std::string(below)));
        if (below.empty()) return smallest;
        below = below.substr(0, below.rfind('/'));
    }
}

/// A small file of /proc or /sys; empty where it cannot be read.
LUMBAR_COLD inline std::string read_small_file(const std::string& path) {
    constexpr std::size_t limit = std::size_t{1} << 20;
    std::string text;
    std::FILE* file = std::fopen(path.c_str(), "rb");
    if (!file) return text;
    char block[4096];
    for (std::size_t got = 1; got > 0 && text.size() < limit;) {
        got = std::fread(block, 1, sizeof block, file);
        text.append(block, got);
    }
    std::fclose(file);
    return text;
}

/// The processors that this process's control groups allow.
LUMBAR_COLD inline int cgroup_cpus() {
    const std::string groups = read_small_file("/proc/self/cgroup");
    const std::string mounted = read_small_file("/proc/self/mountinfo");
    const CgroupPaths paths = parse_cgroup_paths(groups);
    const CgroupMounts mounts = parse_cgroup_mounts(mounted);
    const int v2 = smallest_limit(mounts.v2, paths.v2, [](const std::string& folder) {
        return parse_cpu_max(read_small_file(folder + "/cpu.max"));
    });
    const int v1 = smallest_limit(mounts.v1, paths.v1, [](const std::string& folder) {
        return quota_cpus(leading_number(read_small_file(folder + "/cpu.cfs_quota_us")),
                          leading_number(read_small_file(folder + "/cpu.cfs_period_us")));
    });
    return std::min(v1, v2);
}

/// The processors in this thread's affinity mask, or 0 where it is not known.
LUMBAR_COLD inline int affinity_cpus() {
#if defined(__linux__) && defined(CPU_ALLOC)
    // The kernel refuses a mask that is smaller than its own.
    for (std::size_t cpus = 1024; cpus <= std::size_t{1} << 16; cpus *= 4) {
        cpu_set_t* set = CPU_ALLOC(cpus);
        if (!set) return 0;
        const std::size_t bytes = CPU_ALLOC_SIZE(cpus);
        const bool known = sched_getaffinity(0, bytes, set) == 0;
        const int count = known ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (known) return count;
    }
#endif
    return 0;
}

}  // namespace detail

/// The number of threads that this process can keep running at once, at least 1: what its affinity
/// and its control groups (v1 and v2, a fraction rounded up) allow. Reads files: ask once.
LUMBAR_COLD inline int available_cpus() {
    int cpus = detail::affinity_cpus();
    if (cpus < 1) cpus = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
    cpus = std::min(cpus, detail::cgroup_cpus());
#endif
    return std::max(cpus, 1);
}

LUMBAR_NAMESPACE_END
