// The sections of a page for lab/attention_maps.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lab/attention_maps.h"
#include "report/svg_plot.h"

namespace roformer {
namespace {

constexpr int kCell = 14;        // pixels of a token in a large map
constexpr size_t kLetters = 14;  // shown of a token

std::string label_of(const std::string& token) {
  std::string text;
  size_t letters = 0;
  for (const char c : token) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80 && ++letters > kLetters) return text + "…";
    text += c;
  }
  return text;
}

// Pixels that the longest label needs, by a generous guess: Chinese characters (three bytes) are wide.
int margin_of(const std::vector<std::string>& tokens) {
  double widest = 0;
  for (const std::string& token : tokens) {
    double width = 0;
    for (const char c : label_of(token)) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte & 0xC0) != 0x80) width += byte < 0xE0 ? 6.5 : 11.5;
    }
    widest = std::max(widest, width);
  }
  return 10 + static_cast<int>(widest);
}

// The tokens beside and above a large map, drawn once for all maps, which refer to it.
std::string token_labels(const std::vector<std::string>& tokens, int margin) {
  std::string svg =
      "<svg width=\"0\" height=\"0\" style=\"position:absolute\" aria-hidden=\"true\"><defs>"
      "<g id=\"rf-tokens\" fill=\"currentColor\" font-family=\"system-ui,sans-serif\" font-size=\"11\" "
      "text-anchor=\"end\">\n";
  for (size_t i = 0; i < tokens.size(); ++i) {
    const int place = margin + kCell * static_cast<int>(i) + 11;
    const std::string text = escape_xml(label_of(tokens[i]));
    svg += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>\n", margin - 5, place, text);
    svg += fmt::format("<text transform=\"translate({} {}) rotate(-90)\" text-anchor=\"start\">{}</text>\n", place,
                       margin - 5, text);
  }
  return svg + "</g></defs></svg>\n";
}

// What a head attends to, in numbers.
std::string summary_of(const HeatMap& map) {
  double itself = 0, before = 0, after = 0, first = 0, distance = 0;
  const float largest = *std::max_element(map.values.begin(), map.values.end());
  for (int64_t i = 0; i < map.rows; ++i) {
    for (int64_t j = 0; j < map.columns; ++j) {
      const double weight = map.values[static_cast<size_t>(i * map.columns + j)] / static_cast<double>(map.rows);
      if (j == i) itself += weight;
      if (j == i - 1) before += weight;
      if (j == i + 1) after += weight;
      if (j == 0) first += weight;
      distance += weight * std::abs(static_cast<double>(i - j));
    }
  }
  return fmt::format(
      "Attention weight: {:.0f} % on the token itself, {:.0f} % on the previous token, {:.0f} % on the next token, "
      "{:.0f} % on the first token; mean distance {:.1f} tokens; largest weight {:.2f}.",
      100 * itself, 100 * before, 100 * after, 100 * first, distance, largest);
}

HeatMap scaled(HeatMap map) {
  const float largest = *std::max_element(map.values.begin(), map.values.end());
  for (float& value : map.values) value /= largest;
  return map;
}

HtmlPicture picture_of(const HeatMap& map, size_t layer, size_t head, int margin) {
  const std::string id = fmt::format("rf-map-{}-{}", layer, head);
  const std::string name = fmt::format("Attention of layer {}, head {}", layer, head);
  const int64_t side = kCell * map.rows, size = margin + side + 1;
  return {.label = fmt::format("layer\u00A0{}, head\u00A0{}", layer, head),
          .small = fmt::format("<svg viewBox=\"0 0 {0} {0}\" role=\"img\" aria-label=\"{1}\"><image id=\"{2}\" "
                               "width=\"{0}\" height=\"{0}\" style=\"image-rendering:pixelated\" href=\"{3}\"/></svg>",
                               map.rows, name, id, heat_map_image(scaled(map))),
          .large = fmt::format("<svg viewBox=\"0 0 {0} {0}\" width=\"{0}\" height=\"{0}\" role=\"img\" "
                               "aria-label=\"{1}; rows: queries, columns: keys\"><use href=\"#rf-tokens\"/><use "
                               "href=\"#{2}\" transform=\"translate({3} {3}) scale({4})\"/><rect x=\"{3}\" y=\"{3}\" "
                               "width=\"{5}\" height=\"{5}\" fill=\"none\" stroke=\"currentColor\" opacity=\"0.4\"/>"
                               "</svg>",
                               size, name, id, margin, kCell, side),
          .caption = summary_of(map)};
}

}  // namespace

void add_attention_maps(HtmlPage& page, const AttentionMaps& maps) {
  const int margin = margin_of(maps.tokens);
  page.heading("Attention maps");
  page.paragraph(fmt::format(
      "Each row of a map is a query token and each column a key token, the {} tokens running from left to right and "
      "from top to bottom; the weights of a row sum to 1. The darkest cell (the brightest on a dark page) is the "
      "largest weight of its map, which is given when the map is opened by a click or tap. Layers and heads are "
      "numbered from 0, as in the names of parameters.",
      maps.tokens.size()));
  page.raw(token_labels(maps.tokens, margin));
  for (size_t layer = 0; layer < maps.heads.size(); ++layer) {
    std::vector<HtmlPicture> pictures;
    for (size_t head = 0; head < maps.heads[layer].size(); ++head) {
      pictures.push_back(picture_of(maps.heads[layer][head], layer, head, margin));
    }
    page.gallery(pictures);
  }
}

void add_scores_by_distance(HtmlPage& page, const ScoresByDistance& scores) {
  page.heading("Attention scores by distance");
  std::string text = fmt::format(
      "Query-key score before the softmax by relative position (positive: the key comes after the query), averaged "
      "over the heads of a layer, special tokens included. Measured on {} {}, {} tokens.",
      scores.texts(), scores.texts() == 1 ? "text" : "texts", scores.tokens());
  if (scores.shortened() > 0) {
    text += fmt::format(" {} of them were truncated to {} tokens.", scores.shortened(), scores.longest());
  }
  page.paragraph(text);
  constexpr SvgSize kSize{440, 300};
  Plot plot{.title = "Measured",
            .x_label = "position of the key − position of the query",
            .y_label = "mean score",
            .series = scores.measured()};
  page.figure(svg_plot(plot, kSize),
              "Mean over all pairs of tokens at each distance that has at least 1 % as many pairs as distance 0.");
  plot.series = scores.of_means();
  if (plot.series.empty()) return;
  plot.title = "Mean query and mean key, rotated apart";
  page.figure(
      svg_plot(plot, kSize),
      "The mean score of all queries and all keys as if they stood at that distance (Eq. 16 is linear in both): "
      "what a layer prefers whatever the tokens are.");
}

}  // namespace roformer
