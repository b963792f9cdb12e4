// What compiles for a while and is not ours: how fast a machine compiles (one_model_test.sh).
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

std::string replaced(const std::string& text, const std::string& pattern) {
    return std::regex_replace(text, std::regex(pattern), "x");
}

std::size_t sorted(std::vector<std::variant<int, double, std::string>> values) {
    std::stable_sort(values.begin(), values.end());
    std::map<std::string, std::vector<int>> map;
    std::unordered_map<std::string, std::function<int(int)>> functions;
    std::ostringstream out;
    for (const auto& value : values) {
        std::visit([&](const auto& v) { out << v; }, value);
        map[out.str()].push_back(1);
        functions[out.str()] = [](int i) { return i + 1; };
    }
    return map.size() + functions.size();
}
