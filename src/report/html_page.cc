#include "report/html_page.h"

#include <fmt/format.h>

#include "report/svg_plot.h"

namespace roformer {
namespace {

// Colors are those of the drawings (svg_plot.cc).
constexpr std::string_view kStyle = R"(<style>
:root{color-scheme:light dark;--back:#ffffff;--text:#1f2328;--quiet:#59636e;--line:#d8dee4;--head:#f6f8fa}
@media (prefers-color-scheme:dark){:root{--back:#0d1117;--text:#e6edf3;--quiet:#9198a1;--line:#2a313c;--head:#151b23}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1200px;padding:16px;background:var(--back);color:var(--text);
font:16px/1.5 system-ui,-apple-system,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6em;line-height:1.25;margin:0 0 .4em}h2{font-size:1.25em;margin:1.6em 0 .4em}
p{margin:.4em 0;max-width:75ch}footer{margin-top:2em;color:var(--quiet);font-size:.85em}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:8px 24px}
figure{margin:0;min-width:0}figure svg{display:block;width:100%;height:auto;max-width:600px}
figcaption,.caption{color:var(--quiet);font-size:.9em;margin:.8em 0 0}
.scroll{overflow-x:auto;margin:.3em 0 .8em}.content{display:inline-block;min-width:100%;vertical-align:top}
.hint{display:none}
@supports (width:1cqw){.scroll{container-type:inline-size}
.hint{display:block;position:sticky;left:0;width:6em;max-width:clamp(0px,(100% - 100cqw - 1px)*999,6em);height:1.5em;
margin-bottom:clamp(-1.5em,(100% - 100cqw - 1px)*999 - 1.5em,0px);overflow:hidden;white-space:nowrap;
color:var(--quiet);font-size:.85em}}
table{border-collapse:collapse;font-size:.9em}
th,td{padding:.3em .7em;border:1px solid var(--line);text-align:right;white-space:nowrap;
font-variant-numeric:tabular-nums}
thead th{background:var(--head)}th:first-child{text-align:left}tbody th{font-weight:400}
.prose{overflow-wrap:break-word}.prose th,.prose td{text-align:left;vertical-align:top;white-space:pre-line}.prose td:last-child{min-width:16em}
.gallery{display:grid;grid-template-columns:repeat(var(--pictures),minmax(0,1fr));gap:8px;margin:.4em 0}
@media (max-width:700px){.gallery{grid-template-columns:repeat(auto-fill,minmax(84px,1fr))}}
.gallery details{border:1px solid var(--line);border-radius:4px;padding:4px;min-width:0}
.gallery details[open]{grid-column:1/-1}.gallery details[open]>summary>svg{display:none}
.gallery summary{list-style:none;font-size:.75em;text-align:center;overflow:hidden}
.gallery summary::-webkit-details-marker{display:none}
.gallery summary>svg{display:block;width:100%;max-width:480px;height:auto;margin:auto}
.gallery details[open]>summary{text-align:left;font-weight:600}
summary{cursor:pointer}summary:focus-visible,.scroll:focus-visible{outline:2px solid #0072b2;outline-offset:2px}
</style>
)";

// A box that scrolls, with a hint where it does: the hint's width and height are zero unless its content (100 %) is
// wider than the box (100cqw).
std::string scroll_box(std::string_view label, std::string_view content) {
  return fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><div class=\"content\">"
      "<span class=\"hint\" aria-hidden=\"true\">scroll →</span>{}</div></div>\n",
      escape_xml(label), content);
}

std::string table_html(const HtmlTable& table) {
  std::string html = fmt::format("<table{} aria-label=\"{}\">\n<thead><tr>", table.prose ? " class=\"prose\"" : "",
                                 escape_xml(table.caption));
  for (const std::string& column : table.columns) html += fmt::format("<th scope=\"col\">{}</th>", escape_xml(column));
  html += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    html += "<tr>";
    for (size_t i = 0; i < row.size(); ++i) {
      html += fmt::format(fmt::runtime(i == 0 ? "<th scope=\"row\">{}</th>" : "<td>{}</td>"), escape_xml(row[i]));
    }
    html += "</tr>\n";
  }
  return fmt::format("<p class=\"caption\">{}</p>\n{}", escape_xml(table.caption),
                     scroll_box(table.caption, html + "</tbody></table>"));
}

}  // namespace

HtmlPage::HtmlPage(std::string_view title) {
  const std::string text = escape_xml(title);
  html_ = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{}</title>\n{}</head>\n<body>\n"
      "<main>\n<h1>{}</h1>\n",
      text, kStyle, text);
}

void HtmlPage::heading(std::string_view text) { raw(fmt::format("<h2>{}</h2>\n", escape_xml(text))); }

void HtmlPage::paragraph(std::string_view text) { raw(fmt::format("<p>{}</p>\n", escape_xml(text))); }

void HtmlPage::figure(std::string_view svg, std::string_view caption) {
  if (!in_figures_) html_ += "<div class=\"figures\">\n";
  in_figures_ = true;
  html_.append("<figure>\n").append(svg);
  if (!caption.empty()) html_ += fmt::format("<figcaption>{}</figcaption>\n", escape_xml(caption));
  html_ += "</figure>\n";
}

void HtmlPage::table(const HtmlTable& table) { raw(table_html(table)); }

void HtmlPage::folded_table(std::string_view summary, const HtmlTable& table) {
  raw(fmt::format("<details><summary>{}</summary>\n{}</details>\n", escape_xml(summary), table_html(table)));
}

void HtmlPage::gallery(const std::vector<HtmlPicture>& pictures) {
  std::string html = fmt::format("<div class=\"gallery\" style=\"--pictures:{}\">\n", pictures.size());
  for (const auto& [label, small, large, caption] : pictures) {
    html += fmt::format("<details><summary>{}{}</summary>\n{}<p>{}</p></details>\n", small, escape_xml(label),
                        scroll_box(label, large), escape_xml(caption));
  }
  raw(html + "</div>\n");
}

void HtmlPage::raw(std::string_view html) {
  close_figures();
  html_ += html;
}

std::string HtmlPage::finish() {
  raw("</main>\n<footer>roformer " ROFORMER_VERSION "</footer>\n</body>\n</html>\n");
  return std::move(html_);
}

void HtmlPage::close_figures() {
  if (in_figures_) html_ += "</div>\n";
  in_figures_ = false;
}

}  // namespace roformer
