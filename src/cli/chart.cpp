#include "cli/chart.hpp"

#include "cli/document.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr int k_width = 240;
constexpr int k_height = 60;
constexpr int k_columns = 80;
constexpr std::size_t k_dots = 120;

std::string date(Time time) {
  return format_time(time).substr(0, 10);
}

class Canvas {
 public:
  Canvas(const std::vector<ChartPoint>& points, double top)
      : m_first(points.front().at), m_span(std::max(elapsed(m_first, points.back().at), Nanoseconds{1})), m_top(top) {}

  int column(Time at) const {
    const double share = static_cast<double>(elapsed(m_first, at).count()) / static_cast<double>(m_span.count());
    return std::clamp(static_cast<int>(share * k_columns), 0, k_columns - 1);
  }
  static int x(int column) { return column * k_width / k_columns; }
  int x_of(Time at) const { return x(column(at)) + k_width / k_columns / 2; }
  // Something is there is something seen.
  int y(double value) const {
    if (m_top <= 0 || value <= 0) return k_height;
    return std::clamp(k_height - static_cast<int>(std::lround(value / m_top * (k_height - 4))), 2, k_height - 1);
  }

 private:
  Time m_first;
  Nanoseconds m_span;
  double m_top;
};

std::vector<std::optional<double>> columns_of(ChartKind kind, const std::vector<ChartPoint>& points,
                                              const Canvas& canvas) {
  std::vector<std::optional<double>> out(k_columns);
  for (const auto& point : points) {
    auto& column = out[static_cast<std::size_t>(canvas.column(point.at))];
    column = kind == ChartKind::bars ? column.value_or(0) + point.value : point.value;
  }
  return out;
}

std::string bars(const std::vector<std::optional<double>>& columns, const Canvas& canvas) {
  std::string path;
  for (int i = 0; i < k_columns; ++i) {
    const auto& value = columns[static_cast<std::size_t>(i)];
    if (value && *value > 0) path += fmt::format("M{},{}V{}h2V{}z", Canvas::x(i), k_height, canvas.y(*value), k_height);
  }
  return fmt::format("<path class=\"fill\" d=\"{}\"/>", path);
}

std::string area(const std::vector<std::optional<double>>& columns, const Canvas& canvas) {
  std::string path = fmt::format("M0,{}", k_height);
  double last = 0;
  for (int i = 0; i < k_columns; ++i) {
    const auto& value = columns[static_cast<std::size_t>(i)];
    if (!value) continue;
    // It stays what it was until it is something else.
    path += fmt::format("H{}V{}", Canvas::x(i), canvas.y(*value));
    last = *value;
  }
  path += fmt::format("V{}H{}V{}z", canvas.y(last), k_width, k_height);
  return fmt::format("<path class=\"area\" d=\"{}\"/>", path);
}

// Of strokes that keep their form however the picture is stretched.
std::string dots(const std::vector<ChartPoint>& points, const Canvas& canvas) {
  std::string good;
  std::string bad;
  const std::size_t from = points.size() > k_dots ? points.size() - k_dots : 0;
  for (std::size_t i = from; i < points.size(); ++i) {
    (points[i].bad ? bad : good) += fmt::format("M{},{}h.1", canvas.x_of(points[i].at), canvas.y(points[i].value));
  }
  const auto path = [](const char* name, const std::string& all) {
    return all.empty() ? std::string{} : fmt::format("<path class=\"dots {}\" d=\"{}\"/>", name, all);
  };
  return path("good", good) + path("bad", bad);
}

}  // namespace

std::string chart(ChartKind kind, std::string_view caption, const std::vector<ChartPoint>& points,
                  std::string (*text)(double), double limit) {
  const std::string name = html_escaped(caption);
  if (points.empty())
    return fmt::format("<figure><figcaption>{}</figcaption><p class=\"none\">none</p></figure>\n", name);
  double top = limit;
  for (const auto& point : points) top = std::max(top, point.value);
  const Canvas plain{points, top};
  const auto columns = columns_of(kind, points, plain);
  for (const auto& column : columns) top = std::max(top, kind == ChartKind::dots ? 0 : column.value_or(0));
  const Canvas canvas{points, top};
  std::string drawn = kind == ChartKind::bars   ? bars(columns, canvas)
                      : kind == ChartKind::area ? area(columns, canvas)
                                                : dots(points, canvas);
  if (limit > 0) {
    drawn += fmt::format("<path class=\"limit\" d=\"M0,{0}H{1}\"/>", canvas.y(limit), k_width);
  }
  const std::string most = html_escaped(text(top));
  const std::string first = date(points.front().at);
  const std::string last = date(points.back().at);
  return fmt::format(
      "<figure><figcaption>{0} <b>{1}</b></figcaption><svg viewBox=\"0 0 {2} {3}\" preserveAspectRatio=\"none\" "
      "role=\"img\" aria-label=\"{0}, at "
      "most "
      "{1}, from {4} to {5}\">{6}</svg><div class=\"axis\"><span>{4}</span><span>{5}</span></div></figure>\n",
      name, most, k_width, k_height, first, last, drawn);
}

}  // namespace cairn
