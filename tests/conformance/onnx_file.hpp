// Reads just enough of ONNX's files for its operator tests: nodes with attributes, and tensors. The
// format is Protocol Buffers; field numbers are those of onnx.proto. A test's reader: it trusts the
// files but for their lengths.
#pragma once

#include <lumbar/core/file.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace onnx {

using Bytes = std::span<const std::byte>;

/// One field of a message: a number, or bytes (text, a message, packed numbers).
struct Field {
    int id = 0;
    std::uint64_t number = 0;
    Bytes bytes;

    std::string text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
    float real() const { return std::bit_cast<float>(static_cast<std::uint32_t>(number)); }
};

/// A message, field by field.
class Message {
   public:
    explicit Message(Bytes bytes) : rest_(bytes) {}

    bool done() const { return rest_.empty(); }
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (int shift = 0; !rest_.empty() && shift < 64; shift += 7) {
            const auto byte = std::to_integer<std::uint64_t>(rest_[0]);
            rest_ = rest_.subspan(1);
            value |= (byte & 127) << shift;
            if (byte < 128) break;
        }
        return value;
    }
    Field next() {
        const std::uint64_t key = varint();
        Field field;
        field.id = static_cast<int>(key >> 3);
        switch (key & 7) {
            case 0: field.number = varint(); break;
            case 1: fixed(field, 8); break;
            case 2: field.bytes = take(varint()); break;
            case 5: fixed(field, 4); break;
            default: rest_ = {};
        }
        return field;
    }

   private:
    Bytes take(std::uint64_t count) {
        const Bytes taken = rest_.first(std::min<std::uint64_t>(count, rest_.size()));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }
    void fixed(Field& field, std::size_t size) {
        const Bytes bytes = take(size);
        std::memcpy(&field.number, bytes.data(), bytes.size());
    }

    Bytes rest_;
};

/// TensorProto. Elements of other types than float are left out.
struct Tensor {
    static constexpr int kFloat = 1, kInt64 = 7;
    std::string name;
    int type = 0;
    std::vector<std::int64_t> dims;
    std::vector<float> values;
    std::vector<std::int64_t> integers;

    std::int64_t size() const {
        std::int64_t product = 1;
        for (const std::int64_t d : dims) product *= d;
        return product;
    }
};

/// A repeated number, which may come packed or one by one.
inline void append(std::vector<std::int64_t>& to, const Field& field) {
    if (field.bytes.empty()) return to.push_back(static_cast<std::int64_t>(field.number));
    for (Message packed(field.bytes); !packed.done();) {
        to.push_back(static_cast<std::int64_t>(packed.varint()));
    }
}

template <class T>
void append_raw(std::vector<T>& to, Bytes bytes) {
    const std::size_t before = to.size();
    to.resize(before + bytes.size() / sizeof(T));
    if (!bytes.empty()) std::memcpy(to.data() + before, bytes.data(), bytes.size());
}

inline Tensor read_tensor(Bytes bytes) {
    Tensor tensor;
    Bytes raw;
    for (Message message(bytes); !message.done();) {
        const Field f = message.next();
        switch (f.id) {
            case 1: append(tensor.dims, f); break;
            case 2: tensor.type = static_cast<int>(f.number); break;
            case 4:
                if (f.bytes.empty()) tensor.values.push_back(f.real());
                append_raw(tensor.values, f.bytes);
                break;
            case 7: append(tensor.integers, f); break;
            case 8: tensor.name = f.text(); break;
            case 9: raw = f.bytes; break;
            default: break;
        }
    }
    if (tensor.type == Tensor::kFloat) append_raw(tensor.values, raw);
    if (tensor.type == Tensor::kInt64) append_raw(tensor.integers, raw);
    return tensor;
}

/// AttributeProto.
struct Attribute {
    float real = 0;
    std::int64_t integer = 0;
    std::string text;
    std::vector<std::int64_t> integers;
    Tensor tensor;
};

/// NodeProto.
struct Node {
    std::string type;
    std::vector<std::string> inputs, outputs;
    std::map<std::string, Attribute> attributes;

    bool has(const std::string& name) const { return attributes.contains(name); }
    std::int64_t integer(const std::string& name, std::int64_t otherwise) const {
        return has(name) ? attributes.at(name).integer : otherwise;
    }
    float real(const std::string& name, float otherwise) const {
        return has(name) ? attributes.at(name).real : otherwise;
    }
    std::string text(const std::string& name, const std::string& otherwise) const {
        return has(name) ? attributes.at(name).text : otherwise;
    }
    std::vector<std::int64_t> integers(const std::string& name,
                                       std::vector<std::int64_t> otherwise) const {
        return has(name) ? attributes.at(name).integers : otherwise;
    }
};

/// ModelProto with its graph.
struct Model {
    std::int64_t opset = 0;
    std::vector<Node> nodes;
    std::vector<Tensor> initializers;
    std::vector<std::string> inputs, outputs;
};

inline Node read_node(Bytes bytes) {
    Node node;
    for (Message message(bytes); !message.done();) {
        const Field f = message.next();
        if (f.id == 1) node.inputs.push_back(f.text());
        if (f.id == 2) node.outputs.push_back(f.text());
        if (f.id == 4) node.type = f.text();
        if (f.id != 5) continue;
        std::string name;
        Attribute attribute;
        for (Message inner(f.bytes); !inner.done();) {
            const Field a = inner.next();
            if (a.id == 1) name = a.text();
            if (a.id == 2) attribute.real = a.real();
            if (a.id == 3) attribute.integer = static_cast<std::int64_t>(a.number);
            if (a.id == 4) attribute.text = a.text();
            if (a.id == 5) attribute.tensor = read_tensor(a.bytes);
            if (a.id == 8) append(attribute.integers, a);
        }
        node.attributes[name] = attribute;
    }
    return node;
}

/// A field's text inside a message: the name of a ValueInfoProto (1).
inline std::string name_in(Bytes bytes) {
    for (Message message(bytes); !message.done();) {
        const Field f = message.next();
        if (f.id == 1) return f.text();
    }
    return "";
}

inline Model read_model(Bytes bytes) {
    Model model;
    for (Message message(bytes); !message.done();) {
        const Field f = message.next();
        if (f.id == 8) {  // an operator set: domain (1) and version (2)
            std::int64_t version = 0;
            for (Message set(f.bytes); !set.done();) {
                const Field s = set.next();
                if (s.id == 2) version = static_cast<std::int64_t>(s.number);
            }
            if (name_in(f.bytes).empty()) model.opset = version;
        }
        if (f.id != 7) continue;
        for (Message graph(f.bytes); !graph.done();) {
            const Field g = graph.next();
            if (g.id == 1) model.nodes.push_back(read_node(g.bytes));
            if (g.id == 5) model.initializers.push_back(read_tensor(g.bytes));
            if (g.id == 11) model.inputs.push_back(name_in(g.bytes));
            if (g.id == 12) model.outputs.push_back(name_in(g.bytes));
        }
    }
    return model;
}

}  // namespace onnx
