// Name dialects: what the tensors of one and the same network are called elsewhere. A model lists
// the dialects it is known in; runtime/name_dialects.hpp finds out which one a weight file speaks.
#pragma once

#include <lumbar/config/config.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

LUMBAR_NAMESPACE_BEGIN

/// A layer's name here and there. In `ours` a '#' stands for a number; `theirs` takes the numbers
/// one after the other, by
///     #  the number     +  the number plus one     -  the number minus one
///     @  "stage.block" of a number that counts the blocks of all stages from one on
///     *  the inverse: two numbers, a stage and a block, become that count
struct NameRule {
    std::string_view ours;
    std::string_view theirs;
};

/// How a dialect names a layer's tensors and orders their elements.
enum class TensorStyle {
    torch,  ///< NAME.weight [out, in, h, w], NAME.running_mean
    keras,  ///< NAME/kernel [h, w, in, out] ([h, w, in, 1] where depthwise), NAME/moving_mean
};

/// One dialect of a family. Its numerics come with it: who is recognised by the names is known to
/// compute so.
struct Dialect {
    const char* name = "";
    std::span<const NameRule> rules{};  ///< the first that fits; a name that none fits is ours
    std::span<const int> stages{};      ///< blocks per stage, for '@' and '*'
    TensorStyle style = TensorStyle::torch;
    double epsilon = 0;         ///< of all batch normalisations; 0: the graph's
    bool same_padding = false;  ///< TensorFlow's SAME, for convolutions that pad
    const char* preset = "";    ///< how pictures are prepared (lumbar::presets); "": as the model's
};

namespace detail {

/// The number that a count from one on of all blocks has as "stage.block"; what lies beyond the
/// last stage is a stage of its own.
LUMBAR_COLD inline std::string stage_and_block(std::span<const int> stages, int count) {
    int block = count - 1;
    std::size_t stage = 0;
    while (stage < stages.size() && block >= stages[stage]) block -= stages[stage++];
    return std::to_string(stage) + "." + std::to_string(block);
}

/// Whether `name` fits the rule's pattern; `numbers` gets what the '#' stand for. At most four.
LUMBAR_COLD inline bool fits(std::string_view pattern, std::string_view name, int (&numbers)[4]) {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    std::size_t at = 0;
    int found = 0;
    for (const char c : pattern) {
        if (c != '#') {
            if (at == name.size() || name[at++] != c) return false;
            continue;
        }
        if (at == name.size() || !is_digit(name[at]) || found == 4) return false;
        int number = 0;
        while (at < name.size() && is_digit(name[at]) && number < 100000) {
            number = 10 * number + (name[at++] - '0');
        }
        numbers[found++] = number;
    }
    return at == name.size();
}

}  // namespace detail

/// What the dialect calls a layer that is `ours` here.
LUMBAR_COLD inline std::string layer_name(const Dialect& dialect, std::string_view ours) {
    for (const NameRule& rule : dialect.rules) {
        int numbers[4] = {};
        if (!detail::fits(rule.ours, ours, numbers)) continue;
        std::string theirs;
        const int* next = numbers;
        for (const char c : rule.theirs) {
            switch (c) {
                case '#': theirs += std::to_string(*next++); break;
                case '+': theirs += std::to_string(*next++ + 1); break;
                case '-': theirs += std::to_string(*next++ - 1); break;
                case '@': theirs += detail::stage_and_block(dialect.stages, *next++); break;
                case '*': {
                    int count = next[1] + 1;
                    for (int stage = 0; stage < next[0]; ++stage) {
                        count += dialect.stages[static_cast<std::size_t>(stage)];
                    }
                    theirs += std::to_string(count);
                    next += 2;
                    break;
                }
                default: theirs += c;
            }
        }
        return theirs;
    }
    return std::string(ours);
}

LUMBAR_NAMESPACE_END
