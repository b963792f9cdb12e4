// classify --stream: images in, JSON lines out, in the same order, without an end in sight.
//
//   standard input -> reader -> queue -> threads that decode and prepare -> batches -> lines
//
// A batch is not waited for: where the input pauses, what has come is answered, so that a program
// may ask for one image at a time. The lines do not depend on batches, threads or timing, because
// the network's results do not.
#pragma once

#include "classifier.hpp"
#include "stream_input.hpp"
#include "stream_options.hpp"
#include "stream_output.hpp"
#include "stream_progress.hpp"
#include "stream_queue.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <istream>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace streaming {

/// An image on its way: what was read, and then the network's input or why there is none.
struct StreamSlot {
    StreamItem item;
    std::uint64_t consumed = 0;  ///< bytes of the input up to its end
    lumbar::Tensor input;
    std::string error;
};

/// What the reader needs, which may outlast the run: nothing interrupts a read that waits.
struct StreamSource {
    StreamInput input;
    StreamQueue<StreamSlot> queue;

    StreamSource(std::istream& in, bool bytes, std::vector<StreamSlot> slots)
        : input(in, bytes), queue(std::move(slots), StreamInput::kMaxBytes) {}

    void read_all() {
        try {
            while (auto item = input.next()) {
                const std::uint64_t weight = item->bytes.size();
                if (!queue.push(weight, [&](StreamSlot& slot) {
                        slot.item = std::move(*item);
                        slot.consumed = input.consumed();
                    })) {
                    return;
                }
            }
            queue.finish();
        } catch (...) {
            queue.finish(std::current_exception());
        }
    }
};

inline void prepare(StreamSlot& slot, const lumbar::Preprocess& preset, bool bytes) {
    using namespace lumbar;
    slot.error = slot.item.error;
    if (!slot.error.empty()) return;
    try {
        const ReadOptions options{.channels = preset.channels, .orient = true};
        const Result<Image> image =
            bytes ? try_read_image(std::span<const std::uint8_t>(slot.item.bytes), options)
                  : try_read_image(slot.item.path, options);
        slot.item.bytes = {};
        if (!image) {
            slot.error = image.error().message();
        } else if (const Status done = try_preprocess_into(*image, preset, slot.input); !done) {
            slot.error = done.error().message();
        }
    } catch (const std::exception& e) {  // there may be too little memory for this one
        slot.error = e.what();
    }
}

/// Runs the network on whole batches, and on single images where a batch would be rather empty.
class BatchRunner {
   public:
    BatchRunner(const lumbar::Network& network, int batch)
        : single_(network),
          batch_(network.resized({.height = network.input_shape().h,
                                  .width = network.input_shape().w,
                                  .batch = batch})),
          single_workspace_(single_.workspace()),
          batch_workspace_(batch_.workspace()) {}

    /// Calls answer(i, logits) for every input; at most as many as a batch has.
    template <class Answer>
    void run(const std::vector<const lumbar::Tensor*>& inputs, Answer&& answer) {
        const bool together = 2 * inputs.size() > static_cast<std::size_t>(batch_.input_shape().n);
        const lumbar::Network& network = together ? batch_ : single_;
        lumbar::Workspace& workspace = together ? batch_workspace_ : single_workspace_;
        const std::size_t at_once = together ? inputs.size() : 1;
        for (std::size_t first = 0; first < inputs.size(); first += at_once) {
            float* to = workspace.input().data;
            for (std::size_t i = 0; i < at_once; ++i) {
                to = std::ranges::copy(inputs[first + i]->values(), to).out;
            }
            network.run(workspace);
            for (std::size_t i = 0; i < at_once; ++i) {
                answer(first + i, lumbar::logits_of(workspace.output(0), static_cast<int>(i)));
            }
        }
    }

   private:
    lumbar::Network single_, batch_;
    lumbar::Workspace single_workspace_, batch_workspace_;
};

}  // namespace streaming

/// Answers everything on `in`; throws where that cannot be read or the lines not be written. `in`
/// must live as long as the process where lines cannot be written.
inline void classify_stream(const Classifier& classifier, const StreamOptions& o, int top,
                            std::istream& in) {
    using namespace lumbar;
    const bool bytes = o.stream == "bytes";
    const auto batch = static_cast<std::size_t>(o.batch);
    const int decode_threads = o.decode_threads > 0 ? o.decode_threads : available_cpus();

    std::vector<streaming::StreamSlot> slots(2 * batch + static_cast<std::size_t>(decode_threads));
    for (streaming::StreamSlot& slot : slots) slot.input = Tensor(classifier.network.input_shape());
    const auto source = std::make_shared<streaming::StreamSource>(in, bytes, std::move(slots));
    StreamQueue<streaming::StreamSlot>& queue = source->queue;

    StreamOutput output = o.resume.empty() ? StreamOutput() : StreamOutput(o.resume);
    std::uint64_t index = o.resume.empty() ? 0 : output.skip_done(source->input);
    StreamProgress progress(index);
    streaming::BatchRunner runner(classifier.network, o.batch);

    std::vector<std::jthread> threads;
    const struct Closer {
        StreamQueue<streaming::StreamSlot>& queue;
        ~Closer() { queue.close(); }
    } closer{queue};
    for (int i = 0; i < decode_threads; ++i) {
        threads.emplace_back([&] {
            while (queue.prepare([&](streaming::StreamSlot& slot) {
                streaming::prepare(slot, classifier.preset, bytes);
            })) {
            }
        });
    }
    std::thread([source] { source->read_all(); }).detach();

    for (;;) {
        std::vector<const Tensor*> inputs;
        const std::vector<streaming::StreamSlot*> taken =
            queue.take([&](streaming::StreamSlot& slot) {
                if (slot.error.empty()) inputs.push_back(&slot.input);
                return inputs.size() == batch;
            });
        if (taken.empty()) break;
        std::vector<std::vector<Prediction>> answers(inputs.size());
        runner.run(inputs, [&](std::size_t i, std::span<const float> logits) {
            answers[i] = top_k(logits, top);
        });
        std::string text;
        std::size_t answered = 0;
        for (const streaming::StreamSlot* slot : taken) {
            nlohmann::ordered_json line;
            line["index"] = index++;
            if (!bytes) line["image"] = slot->item.path;
            if (slot->error.empty()) {
                line["top"] = classifier.to_json(answers[answered++]);
            } else {
                line["error"] = slot->error;
            }
            text += json_line(line) + '\n';
        }
        output.write(text);
        progress.add(taken.size(), taken.size() - answered, taken.back()->consumed);
        queue.release(taken.size());
    }
    progress.finish();
}
