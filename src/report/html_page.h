// One HTML page of headings, texts, tables and drawings that is self-contained: no network, no script. Light
// or dark as the reader's system asks; on a phone drawings shrink and wide tables scroll inside their own box, which
// says so.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace roformer {

struct HtmlTable {
  std::string caption;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // as many cells each; the first one heads its row
  bool prose = false;                          // cells are texts to read: they wrap and begin at the left
};

// A picture with a large version that opens on a click or tap.
struct HtmlPicture {
  std::string label;         // short, below the small picture
  std::string small, large;  // drawings; `large` scrolls in its own box if it does not fit
  std::string caption;       // below the large one
};

// All texts are plain and are escaped here; only drawings and the text of raw() are taken as they are.
class HtmlPage {
 public:
  explicit HtmlPage(std::string_view title);

  void heading(std::string_view text);
  void paragraph(std::string_view text);
  // Drawings that follow each other stand side by side where they fit.
  void figure(std::string_view svg, std::string_view caption = {});
  void table(const HtmlTable& table);
  void folded_table(std::string_view summary, const HtmlTable& table);  // closed until the reader opens it
  // Small ones in one row over the whole width, on a phone in several; without script.
  void gallery(const std::vector<HtmlPicture>& pictures);
  void raw(std::string_view html);

  std::string finish();  // the whole page; nothing may follow

 private:
  void close_figures();

  std::string html_;
  bool in_figures_ = false;
};

}  // namespace roformer
