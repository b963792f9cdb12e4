// The reader of JSON text against a library's, on texts of every kind and thousands of damaged
// ones.
#include <lumbar/weights/json_text.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <random>
#include <string>
#include <string_view>

using namespace lumbar::detail;

namespace json_text_test {

/// Writes down what it is told, as nlohmann's sax interface would; follows any depth up to 64.
class Recorder final : public JsonEvents {
   public:
    bool start_object() override { return note("{") && ++depth_ < 64; }
    bool key(std::string& name) override { return note("key " + name); }
    bool end_object() override { return --depth_, note("}"); }
    bool start_array() override { return note("[") && ++depth_ < 64; }
    bool end_array() override { return --depth_, note("]"); }
    bool string(std::string& value) override { return note("text " + value); }
    bool natural(std::uint64_t value) override { return note("natural " + std::to_string(value)); }
    bool other(std::string_view) override { return note("other"); }
    void not_json(std::size_t at, const char*) override { position = at; }

    std::string events;
    std::size_t position = 0;

   private:
    bool note(const std::string& event) {
        events += event + '\n';
        return true;
    }
    int depth_ = 0;
};

struct Reference : nlohmann::json_sax<nlohmann::json> {
    bool note(const std::string& event) {
        events += event + '\n';
        return true;
    }
    bool null() override { return note("other"); }
    bool boolean(bool) override { return note("other"); }
    bool number_integer(number_integer_t) override { return note("other"); }
    bool number_unsigned(number_unsigned_t value) override {
        return note("natural " + std::to_string(value));
    }
    bool number_float(number_float_t, const string_t&) override { return note("other"); }
    bool string(string_t& value) override { return note("text " + value); }
    bool binary(binary_t&) override { return false; }
    bool start_object(std::size_t) override { return note("{"); }
    bool key(string_t& name) override { return note("key " + name); }
    bool end_object() override { return note("}"); }
    bool start_array(std::size_t) override { return note("["); }
    bool end_array() override { return note("]"); }
    bool parse_error(std::size_t, const std::string&,
                     const nlohmann::json::exception& error) override {
        out_of_range = error.id == 406;
        return false;
    }
    std::string events;
    bool out_of_range = false;
};

/// Both accept it and see the same, or both refuse it. (A zero byte ends a text for nlohmann, a
/// byte-order mark is skipped, and numbers beyond a double's are refused: such texts are left out.)
void check_alike(const std::string& text) {
    if (text.find('\0') != std::string::npos || text.substr(0, 1) == "\xEF") return;
    CAPTURE(text);
    Recorder ours;
    Reference theirs;
    const bool accepted = JsonText(text, ours).read();
    const bool expected = nlohmann::json::sax_parse(text, &theirs);
    if (theirs.out_of_range) return;
    REQUIRE(accepted == expected);
    if (accepted) CHECK(ours.events == theirs.events);
}

const char* const kTexts[] = {
    R"({"a": {"dtype": "F32", "shape": [64, 3, 7, 7], "data_offsets": [0, 37632]}})",
    R"({"__metadata__": {"format": "pt", "text": "\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00"}})",
    R"([0, -0, 1.5, -1e3, 2E+4, 3e-2, 18446744073709551615, 18446744073709551616, -7])",
    " [ null , true , false , [ ] , { } , \"\" ] ",
    "{\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\": {\"k\": [[], [[1]], {\"x\": \"y\"}]}}",
    "7",
    "\"text\"",
};

TEST_CASE("JSON texts are read as a library reads them") {
    for (const char* text : kTexts) check_alike(text);
}

TEST_CASE("texts that are not JSON are refused, with the place") {
    struct Case {
        const char* text;
        std::size_t position;
    };
    const Case cases[] = {
        {"", 1},           {"  ", 3},          {"{", 2},         {"[1,]", 4},      {"[1 2]", 4},
        {"{\"a\" 1}", 6},  {"{\"a\":}", 6},    {"{a:1}", 2},     {"[01]", 3},      {"[+1]", 2},
        {"[1.]", 4},       {"[1e]", 4},        {"[.5]", 2},      {"[-]", 3},       {"[nul]", 2},
        {"\"abc", 5},      {"\"\\x\"", 3},     {"\"\\u12\"", 6}, {"\"\t\"", 2},    {"{}x", 3},
        {"\"\xC0\x80", 2}, {"\"\\ud800\"", 8}, {"[1}", 3},       {"{\"a\":1]", 7}, {"'a'", 1},
    };
    for (const Case& c : cases) {
        CAPTURE(c.text);
        Recorder recorder;
        CHECK_FALSE(JsonText(c.text, recorder).read());
        CHECK(recorder.position == c.position);
        check_alike(c.text);
    }
}

TEST_CASE("damaged JSON is accepted where a library accepts it, and nowhere else") {
    constexpr std::string_view kPieces = "{}[]:,\"\\u0deE+-.19 nulltrue\xC3\xA9\xED\xA0";
    std::mt19937 random(1);
    const auto below = [&](std::size_t n) { return random() % n; };
    for (int i = 0; i < 20'000; ++i) {
        std::string text = kTexts[below(std::size(kTexts))];
        for (std::size_t damage = 1 + below(3); damage > 0 && !text.empty(); --damage) {
            const std::size_t at = below(text.size());
            const char piece = kPieces[below(kPieces.size())];
            switch (below(4)) {
                case 0: text[at] = piece; break;
                case 1: text.erase(at, 1 + below(3)); break;
                case 2: text.insert(at, 1, piece); break;
                default: text.insert(at, text.substr(below(text.size()), below(8))); break;
            }
        }
        check_alike(text);
    }
}

}  // namespace json_text_test
