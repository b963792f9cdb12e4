// How far a run is: a line that is drawn over and over on a terminal, and one at the end anywhere.
#pragma once

#include <lumbar/core/file.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

class StreamProgress {
   public:
    /// `done_before` images are not counted as this run's.
    explicit StreamProgress(std::uint64_t done_before) : done_before_(done_before) {
#if LUMBAR_HAS_POSIX_FILES
        terminal_ = ::isatty(STDERR_FILENO) != 0;
        struct stat info {};
        if (::fstat(STDIN_FILENO, &info) == 0 && S_ISREG(info.st_mode)) {
            input_bytes_ = static_cast<std::uint64_t>(info.st_size);
        }
#endif
    }

    /// `consumed`: of the bytes on standard input, which tell how much is left if it is a file.
    void add(std::uint64_t images, std::uint64_t bad, std::uint64_t consumed) {
        images_ += images;
        bad_ += bad;
        const Clock::time_point now = Clock::now();
        if (!terminal_ || now - drawn_ < std::chrono::milliseconds(100)) return;
        drawn_ = now;
        std::fprintf(stderr, "\r\033[Kclassify: %s%s", bar(consumed).c_str(), counts().c_str());
    }

    void finish() const {
        std::string before;
        if (done_before_ > 0) before = "; " + std::to_string(done_before_) + " were done before";
        std::fprintf(stderr, "%sclassify: %s%s\n", terminal_ ? "\r\033[K" : "", counts().c_str(),
                     before.c_str());
    }

   private:
    using Clock = std::chrono::steady_clock;

    std::string bar(std::uint64_t consumed) const {
        constexpr std::uint64_t kWidth = 30;
        if (input_bytes_ == 0) return "";
        const std::uint64_t full = std::min(consumed, input_bytes_) * kWidth / input_bytes_;
        return "[" + std::string(full, '#') + std::string(kWidth - full, '.') + "] ";
    }

    std::string counts() const {
        const std::chrono::duration<double> time = Clock::now() - start_;
        char text[160];
        std::snprintf(text, sizeof text, "%llu images, %llu of them bad, %.1f s, %.0f a second",
                      static_cast<unsigned long long>(images_),
                      static_cast<unsigned long long>(bad_), time.count(),
                      static_cast<double>(images_) / std::max(time.count(), 1e-9));
        return text;
    }

    const std::uint64_t done_before_;
    const Clock::time_point start_ = Clock::now();
    Clock::time_point drawn_{};
    bool terminal_ = false;
    std::uint64_t input_bytes_ = 0;  // 0: not known
    std::uint64_t images_ = 0, bad_ = 0;
};
