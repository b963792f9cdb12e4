// A network with all that it takes to feed it and to say what it answers.
#pragma once

#include <lumbar/image.hpp>
#include <lumbar/lumbar.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <vector>

struct Classifier {
    lumbar::Network network;
    lumbar::Weights weights;
    lumbar::Preprocess preset;
    std::vector<std::string> labels;

    const std::string& label(const lumbar::Prediction& p) const {
        return labels[static_cast<std::size_t>(p.index)];
    }

    nlohmann::ordered_json to_json(const std::vector<lumbar::Prediction>& best) const {
        auto list = nlohmann::ordered_json::array();
        for (const lumbar::Prediction& p : best) {
            list.push_back({{"class", p.index},
                            {"label", label(p)},
                            {"logit", p.logit},
                            {"probability", p.probability}});
        }
        return list;
    }
};
