// Files for tests, in a directory that is theirs alone.
#pragma once

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <system_error>

namespace lumbar_test {

/// A new directory among the system's temporary files; it disappears with the object.
class Scratch {
   public:
    Scratch() {
        std::random_device random;
        do {
            const std::string name = "lumbar_test_" + std::to_string(random());
            root_ = std::filesystem::temp_directory_path() / name;
        } while (!std::filesystem::create_directory(root_));
    }
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(root_, ignored);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    std::string path(const std::string& name) const { return (root_ / name).string(); }

    /// Creates a file and gives its path.
    std::string write(const std::string& name, const std::string& content) const {
        std::ofstream(path(name), std::ios::binary) << content;
        return path(name);
    }

   private:
    std::filesystem::path root_;
};

}  // namespace lumbar_test
