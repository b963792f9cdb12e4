// The pickles of state dicts: protocol 2, and of it the operations that PyTorch's own restricted
// reader allows (torch/_weights_only_unpickler.py). Nothing is called: what a pickle would make
// Python do becomes a Value that says so.
//
// Values are numbers into one array and refer to others by number, so that deep nesting, cycles and
// values that contain one another a thousandfold cost what the pickle has bytes, and nothing walks
// them: whoever asks looks a fixed number of levels down.
#pragma once

#include <lumbar/core/error.hpp>
#include <lumbar/core/text.hpp>
#include <lumbar/weights/tensor_data.hpp>
#include <lumbar/weights/torch_file.hpp>
#include <lumbar/weights/torch_globals.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

LUMBAR_NAMESPACE_BEGIN
namespace detail {

struct PickleValue {
    enum class Kind : std::uint8_t {
        none,  // and whatever cannot matter: floating-point numbers, integers beyond 64 bits
        boolean,
        integer,
        text,
        tuple,
        list,
        dict,        ///< its items are keys and values in turn
        global,      ///< a name, and its text "module\nname"
        call,        ///< of a name; its items are the arguments
        persistent,  ///< what stands outside the pickle: its one item says what
    };

    Kind kind = Kind::none;
    TorchGlobal global;       ///< of a global or a call
    std::uint32_t size = 0;   ///< bytes of a text, items of the others
    std::uint32_t first = 0;  ///< cells of the items: see Pickle::items
    std::uint32_t last = 0;
    /// The value of an integer; where a text begins in the file; the place among all persistent
    /// values; of a call, the value that BUILD gave it (0: none).
    std::int64_t number = 0;
};

/// Everything that was read from the pickles of one file.
class Pickle {
   public:
    using Value = PickleValue;
    using Kind = PickleValue::Kind;

    explicit Pickle(const TorchFile& file)
        : file_(&file), values_(1), cells_(1) {}  // 0 stands for no value and no cell

    /// Reads the pickle that lies in the file from `at` on, before `end`; `at` becomes the place
    /// after it, and root() what it describes. `name` stands for the pickle in messages.
    LUMBAR_COLD Status try_read(std::size_t& at, std::size_t end, const char* name) {
        at_ = at;
        end_ = end;
        stack_.clear();
        marks_.clear();
        memo_.clear();
        first_operation_ = file_->operations;
        problem_.clear();
        refusal_.clear();
        std::size_t began = at;
        bool good = begin_protocol();
        while (good && !stopped_) {
            began = at_;
            good = step();
        }
        stopped_ = false;
        if (!refusal_.empty()) return file_->refused({refusal_});
        if (!good) {
            return file_->bad({"byte ", began - at, " of its pickle ", name, ": ", problem_});
        }
        at = at_;
        return Success{};
    }

    const Value& root() const { return values_[root_]; }
    /// By number; those of persistent values are in persistent().
    const Value& value(std::size_t index) const { return values_[index]; }
    const std::vector<std::uint32_t>& persistent() const { return persistent_; }

    std::string_view text(const Value& value) const {
        return {reinterpret_cast<const char*>(file_->bytes.data()) + value.number, value.size};
    }

    /// Item i. Precondition: i < value.size. Takes i steps.
    const Value& item(const Value& value, std::size_t i) const {
        std::uint32_t cell = value.first;
        while (i-- > 0) cell = cells_[cell].next;
        return values_[cells_[cell].value];
    }

    /// Calls visit(item) for all items, in order.
    template <class Visit>
    void for_each_item(const Value& value, Visit&& visit) const {
        std::uint32_t cell = value.first;
        for (std::uint32_t i = 0; i < value.size; ++i, cell = cells_[cell].next) {
            visit(values_[cells_[cell].value]);
        }
    }

   private:
    // Items are chains of cells: lists and dicts grow, and tuples keep what they have.
    struct Cell {
        std::uint32_t value = 0;
        std::uint32_t next = 0;
    };

    LUMBAR_COLD bool fail(std::initializer_list<Piece> problem) {
        problem_ = cat(problem);
        return false;
    }

    /// Counts operations, or what takes as long.
    LUMBAR_COLD bool charge(std::size_t count) {
        // Values and cells, at most three for an operation, are numbered in 32 bits.
        constexpr std::size_t kMost = std::size_t{1} << 30;
        const std::size_t limit = std::min(file_->limits.pickle_operations, kMost);
        if (count > limit - file_->operations) {
            return fail(
                {"it has more than ", limit, " operations (LoadLimits::pickle_operations)"});
        }
        // An operation is a byte at least, and what an honest file lists it lists once.
        if (count > file_->bytes.size() - file_->operations) {
            return fail({"it repeats more items than the file has bytes"});
        }
        file_->operations += count;
        return true;
    }

    // --- Operands ---

    LUMBAR_COLD bool take(std::uint64_t size, std::string_view& out) {
        if (size > end_ - at_) {
            return fail({"an operand of ", size, " bytes, of which ", end_ - at_, " are there"});
        }
        out = {reinterpret_cast<const char*>(file_->bytes.data()) + at_,
               static_cast<std::size_t>(size)};
        at_ += static_cast<std::size_t>(size);
        return true;
    }

    /// A little-endian number of `size` bytes, at most 8, its sign extended if `is_signed`.
    LUMBAR_COLD bool take_number(std::size_t size, bool is_signed, std::int64_t& out) {
        std::string_view bytes;
        if (!take(size, bytes)) return false;
        const bool negative = is_signed && size > 0 && (bytes.back() & 0x80) != 0;
        std::uint64_t bits = negative ? ~std::uint64_t{0} : 0;
        for (std::size_t i = size; i-- > 0;)
            bits = bits << 8 | static_cast<unsigned char>(bytes[i]);
        out = static_cast<std::int64_t>(bits);
        return true;
    }

    /// What stands before the next line's end.
    LUMBAR_COLD bool take_line(std::string_view& out) {
        constexpr std::size_t kLongest = 256;
        const std::string_view rest{reinterpret_cast<const char*>(file_->bytes.data()) + at_,
                                    std::min(end_ - at_, kLongest)};
        const std::size_t length = rest.find('\n');
        if (length == rest.npos)
            return fail({"a global's name has no end, or more than 255 bytes"});
        out = rest.substr(0, length);
        at_ += length + 1;
        return true;
    }

    // --- Values, the stack and the memo ---

    bool push(std::uint32_t index) {
        stack_.push_back(index);
        return true;
    }
    bool push(const Value& value) {
        values_.push_back(value);
        return push(static_cast<std::uint32_t>(values_.size() - 1));
    }
    bool push(Kind kind, std::int64_t number = 0) {
        Value value;
        value.kind = kind;
        value.number = number;
        return push(value);
    }
    LUMBAR_COLD bool push_text(std::size_t size_bytes) {
        std::int64_t size = 0;
        std::string_view text;
        if (!take_number(size_bytes, false, size)) return false;
        Value value;
        value.kind = Kind::text;
        value.number = static_cast<std::int64_t>(at_);
        value.size = static_cast<std::uint32_t>(size);
        return take(static_cast<std::uint64_t>(size), text) && push(value);
    }

    /// The values above the last mark, or all.
    std::size_t available() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }

    bool pop(std::uint32_t& index) {
        if (available() == 0) return fail({"it takes a value where there is none"});
        index = stack_.back();
        stack_.pop_back();
        return true;
    }

    Value* top() { return available() == 0 ? nullptr : &values_[stack_.back()]; }

    LUMBAR_COLD bool mark() {
        if (marks_.size() == file_->limits.depth) {
            return fail(
                {"it nests deeper than ", file_->limits.depth, " levels (LoadLimits::depth)"});
        }
        marks_.push_back(static_cast<std::uint32_t>(stack_.size()));
        return true;
    }

    void append(Value& to, std::uint32_t item) {
        cells_.push_back({item, 0});
        const auto cell = static_cast<std::uint32_t>(cells_.size() - 1);
        if (to.size == 0) {
            to.first = cell;
        } else {
            cells_[to.last].next = cell;
        }
        to.last = cell;
        ++to.size;
    }

    /// A tuple of the last `count` values.
    LUMBAR_COLD bool make_tuple(std::size_t count) {
        if (available() < count) return fail({"it takes a value where there is none"});
        Value tuple;
        tuple.kind = Kind::tuple;
        for (std::size_t i = stack_.size() - count; i < stack_.size(); ++i)
            append(tuple, stack_[i]);
        stack_.resize(stack_.size() - count);
        return push(tuple);
    }

    /// Whether there is a mark, which is removed; `count` values stood above it.
    LUMBAR_COLD bool pop_mark(std::size_t& count) {
        if (marks_.empty()) return fail({"it closes what it has not opened"});
        count = stack_.size() - marks_.back();
        marks_.pop_back();
        return true;
    }

    /// Moves the last `count` values into the list or dict below them.
    LUMBAR_COLD bool append_values(Kind kind, std::size_t count) {
        if (available() < count + 1) return fail({"it takes a value where there is none"});
        const std::size_t begin = stack_.size() - count;
        Value& to = values_[stack_[begin - 1]];
        if (to.kind != kind) {
            return fail({kind == Kind::dict ? "it sets items of what is no dict"
                                            : "it appends to what is no list"});
        }
        if (kind == Kind::dict && count % 2 != 0) return fail({"it sets a key without a value"});
        for (std::size_t i = begin; i < stack_.size(); ++i) append(to, stack_[i]);
        stack_.resize(begin);
        return true;
    }

    LUMBAR_COLD bool put(std::size_t bytes) {
        std::int64_t index = 0;
        if (!take_number(bytes, false, index)) return false;
        if (available() == 0) return fail({"it remembers a value where there is none"});
        // Whoever writes pickles counts from zero: so the memo is no larger than the pickle.
        const auto place = static_cast<std::size_t>(index);
        if (place >= file_->operations - first_operation_) {
            return fail({"it remembers value ", index, ", but has not made so many"});
        }
        while (memo_.size() <= place) memo_.push_back(0);
        memo_[place] = stack_.back();
        return true;
    }

    LUMBAR_COLD bool get(std::size_t bytes) {
        std::int64_t index = 0;
        if (!take_number(bytes, false, index)) return false;
        const auto place = static_cast<std::size_t>(index);
        if (place >= memo_.size() || memo_[place] == 0) {
            return fail({"it recalls value ", index, ", which it has not remembered"});
        }
        return push(memo_[place]);
    }

    // --- Names and what is called ---

    LUMBAR_COLD bool global() {
        const std::size_t begin = at_;
        std::string_view module, name;
        if (!take_line(module) || !take_line(name)) return false;
        Value value;
        value.kind = Kind::global;
        value.global = torch_global(module, name);
        if (value.global.name == TorchName::none) {
            refusal_ = torch_refusal(module, name);
            return false;
        }
        value.number = static_cast<std::int64_t>(begin);
        value.size = static_cast<std::uint32_t>(module.size() + 1 + name.size());
        return push(value);
    }

    LUMBAR_COLD bool call() {
        std::uint32_t arguments = 0, callee = 0;
        if (!pop(arguments) || !pop(callee)) return false;
        Value value = values_[arguments];
        if (values_[callee].kind != Kind::global || value.kind != Kind::tuple) {
            return fail({"it calls what is no function, or with no arguments"});
        }
        value.kind = Kind::call;
        value.global = values_[callee].global;
        switch (value.global.name) {
            case TorchName::ordered_dict: return make_ordered_dict(value);
            case TorchName::tensor_type:
            case TorchName::storage:
            case TorchName::untyped_storage:
            case TorchName::dtype:
                return fail({"it makes a tensor, a storage or a dtype by calling its type"});
            default: return push(value);
        }
    }

    /// OrderedDict(), or OrderedDict([[key, value], ...]) as Python 2 wrote it.
    LUMBAR_COLD bool make_ordered_dict(const Value& arguments) {
        Value dict;
        dict.kind = Kind::dict;
        dict.global.name = TorchName::ordered_dict;
        if (arguments.size > 1) return fail({"an OrderedDict has one list of items at most"});
        bool good = true;
        if (arguments.size == 1) {
            const Value pairs = item(arguments, 0);
            if (!charge(pairs.size)) return false;  // the same list may come many times
            good = pairs.kind == Kind::list || pairs.kind == Kind::tuple;
            std::uint32_t cell = pairs.first;
            for (std::uint32_t i = 0; good && i < pairs.size; ++i, cell = cells_[cell].next) {
                const Value pair = values_[cells_[cell].value];
                good = (pair.kind == Kind::list || pair.kind == Kind::tuple) && pair.size == 2;
                if (!good) break;
                append(dict, cells_[pair.first].value);
                append(dict, cells_[cells_[pair.first].next].value);
            }
        }
        if (!good) return fail({"an OrderedDict is made of what are no pairs of keys and values"});
        return push(dict);
    }

    /// The state of an OrderedDict (a module's _metadata) does not matter; an old Parameter's does.
    LUMBAR_COLD bool build() {
        std::uint32_t state = 0;
        if (!pop(state)) return false;
        Value* const object = top();
        if (!object) return fail({"it takes a value where there is none"});
        if (object->kind == Kind::dict && object->global.name == TorchName::ordered_dict)
            return true;
        if (object->kind == Kind::call && object->global.name == TorchName::parameter) {
            // What was made of a tensor has, as of 0.2 and 0.3, three things more; five begin with
            // another tensor, which would replace the first.
            const Value& given = values_[state];
            if (object->size > 0 && (given.kind != Kind::tuple || given.size != 3)) {
                return fail({"it sets another state of a Parameter than three things"});
            }
            object->number = state;
            return true;
        }
        return fail({"it sets the state of what is neither an OrderedDict nor a Parameter"});
    }

    LUMBAR_COLD bool make_persistent() {
        std::uint32_t id = 0;
        if (!pop(id)) return false;
        if (persistent_.size() == file_->limits.tensors) {
            return fail(
                {"it has more than ", file_->limits.tensors, " tensors (LoadLimits::tensors)"});
        }
        Value value;
        value.kind = Kind::persistent;
        value.number = static_cast<std::int64_t>(persistent_.size());
        append(value, id);
        persistent_.push_back(static_cast<std::uint32_t>(values_.size()));
        return push(value);
    }

    LUMBAR_COLD bool stop() {
        if (stack_.size() != 1 || !marks_.empty()) {
            return fail({"it ends with ", stack_.size(), " values where one is expected"});
        }
        root_ = stack_.back();
        stopped_ = true;
        return true;
    }

    LUMBAR_COLD bool begin_protocol() {
        std::string_view begin;
        if (!take(2, begin)) return false;
        if (begin[0] != '\x80') return fail({"it does not begin as a pickle of protocol 2"});
        if (begin[1] == 2) return true;
        return fail({"it has protocol ", int{static_cast<unsigned char>(begin[1])},
                     ", and only 2 is read, which torch.save writes where nothing else is "
                     "asked for"});
    }

    LUMBAR_COLD bool step() {
        std::string_view code, skipped;
        if (at_ == end_) return fail({"it ends without the operation that ends it"});
        if (!charge(1) || !take(1, code)) return false;
        std::int64_t number = 0;
        std::size_t count = 0;
        switch (static_cast<unsigned char>(code[0])) {
            case '.': return stop();
            case '(': return mark();
            case 'N': return push(Kind::none);
            case 0x88: return push(Kind::boolean, 1);
            case 0x89: return push(Kind::boolean, 0);
            case 'K': return take_number(1, false, number) && push(Kind::integer, number);
            case 'M': return take_number(2, false, number) && push(Kind::integer, number);
            case 'J': return take_number(4, true, number) && push(Kind::integer, number);
            case 0x8A:
                if (!take_number(1, false, number)) return false;
                if (number > 8) {
                    return take(static_cast<std::uint64_t>(number), skipped) && push(Kind::none);
                }
                return take_number(static_cast<std::size_t>(number), true, number) &&
                       push(Kind::integer, number);
            case 'G': return take(8, skipped) && push(Kind::none);
            case 'X': return push_text(4);
            case 'U': return push_text(1);
            case ')': return push(Kind::tuple);
            case ']': return push(Kind::list);
            case '}': return push(Kind::dict);
            case 0x85: return make_tuple(1);
            case 0x86: return make_tuple(2);
            case 0x87: return make_tuple(3);
            case 't': return pop_mark(count) && make_tuple(count);
            case 'a': return append_values(Kind::list, 1);
            case 'e': return pop_mark(count) && append_values(Kind::list, count);
            case 's': return append_values(Kind::dict, 2);
            case 'u': return pop_mark(count) && append_values(Kind::dict, count);
            case 'q': return put(1);
            case 'r': return put(4);
            case 'h': return get(1);
            case 'j': return get(4);
            case 'c': return global();
            case 'R':
            case 0x81: return call();
            case 'b': return build();
            case 'Q': return make_persistent();
            default: break;
        }
        return fail({"its operation ", int{static_cast<unsigned char>(code[0])},
                     " is none that a state dict needs"});
    }

    const TorchFile* file_;
    std::vector<Value> values_;
    std::vector<Cell> cells_;
    std::vector<std::uint32_t> persistent_;
    std::uint32_t root_ = 0;

    std::size_t at_ = 0;
    std::size_t end_ = 0;
    std::vector<std::uint32_t> stack_;
    std::vector<std::uint32_t> marks_;  // heights of the stack
    std::vector<std::uint32_t> memo_;
    std::size_t first_operation_ = 0;  // of the pickle that is being read
    bool stopped_ = false;
    std::string problem_;  // one of the two, on failure
    std::string refusal_;
};

}  // namespace detail
LUMBAR_NAMESPACE_END
