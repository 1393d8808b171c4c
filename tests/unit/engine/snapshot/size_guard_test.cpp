#include "engine/snapshot/size_guard.hpp"

#include <doctest/doctest.h>

using namespace cairn;

namespace {

const SizeBefore k_before{.size = SourceSize{300, 1000}};
const SizeBefore k_none;
const std::optional<double> k_tree = k_usual_drop;

}  // namespace

TEST_CASE("size guard: what the user set is refused") {
  CHECK_FALSE(judge_size({}, {0, 0}, k_none, k_tree).refusal);
  CHECK(judge_size({.min_size = 10, .max_drop = {}}, {1, 9}, k_none, {}).refusal ==
        "it gave 9 B, less than the minimum of 10 B");
  CHECK_FALSE(judge_size({.min_size = 10, .max_drop = {}}, {1, 10}, k_none, {}).refusal);
  CHECK(judge_size({.min_files = 2, .max_drop = {}}, {1, 9}, k_none, {}).refusal ==
        "it gave 1 file, fewer than the minimum of 2");
  CHECK_FALSE(judge_size({.min_files = 2, .max_drop = {}}, {2, 9}, k_none, {}).refusal);
  const SizeGuard drop{.max_drop = 0.5};
  CHECK_FALSE(judge_size(drop, {300, 500}, k_before, k_tree).refusal);
  CHECK(judge_size(drop, {300, 499}, k_before, k_tree).refusal ==
        "it gave 499 B, more than 50 % less than the 1000 B of the snapshot before");
  CHECK(judge_size(drop, {0, 0}, k_before, k_tree).refusal);
  // Without a snapshot before there is nothing to compare with.
  CHECK_FALSE(judge_size(drop, {0, 0}, k_none, k_tree).refusal);
}

TEST_CASE("size guard: what the user did not set is a doubt") {
  const auto doubt = [](const SizeGuard& guard, const SourceSize& size, std::optional<double> usual = k_tree) {
    const auto judgement = judge_size(guard, size, k_before, usual);
    CHECK_FALSE(judgement.refusal);
    CHECK(judgement.reason.empty() == (judgement.doubt == Doubt::none));
    return judgement.doubt;
  };
  CHECK(doubt({}, {300, 1000}) == Doubt::none);
  CHECK(doubt({}, {3, 500}) == Doubt::none);
  CHECK(doubt({}, {300, 499}) == Doubt::shrunk);
  CHECK(doubt({}, {0, 0}) == Doubt::emptied);
  // All files are there, and nothing is in them.
  CHECK(doubt({}, {300, 0}) == Doubt::emptied);
  // Of one file of any kind the size says little, but nothing is nothing.
  CHECK(doubt({}, {1, 1}, std::nullopt) == Doubt::none);
  CHECK(doubt({}, {1, 0}, std::nullopt) == Doubt::emptied);
  // Empty files were there, and none is.
  CHECK(judge_size({}, {0, 0}, {.size = SourceSize{2, 0}}, k_tree).doubt == Doubt::emptied);
  CHECK(judge_size({}, {0, 0}, {.size = SourceSize{0, 0}}, k_tree).doubt == Doubt::none);
  CHECK(judge_size({}, {0, 0}, k_none, k_tree).doubt == Doubt::none);

  CHECK(judge_size({}, {0, 0}, k_before, k_tree).reason == "it gave no file, and the snapshot before has 300 files");
  CHECK(judge_size({}, {1, 0}, {.size = SourceSize{1, 1000}}, {}).reason ==
        "it gave 0 B, and the snapshot before has 1000 B");
}

TEST_CASE("size guard: what the user allows is neither") {
  const SizeGuard allowing{.max_drop = {}, .allow_empty = true};
  CHECK(judge_size(allowing, {0, 0}, k_before, k_tree).doubt == Doubt::none);
  CHECK(judge_size(allowing, {300, 1}, k_before, k_tree).doubt == Doubt::shrunk);
  const SizeGuard both{.max_drop = 0.5, .allow_empty = true};
  CHECK_FALSE(judge_size(both, {0, 0}, k_before, k_tree).refusal);
  CHECK(judge_size(both, {300, 1}, k_before, k_tree).refusal);
  // A minimum is one whatever is allowed.
  CHECK(judge_size({.min_files = 1, .max_drop = {}, .allow_empty = true}, {0, 0}, k_before, k_tree).refusal);
  const SizeGuard any{.max_drop = 1.0};
  CHECK(judge_size(any, {300, 1}, k_before, k_tree).doubt == Doubt::none);
  CHECK(judge_size(any, {0, 0}, k_before, k_tree).doubt == Doubt::emptied);
}

TEST_CASE("size guard: beside snapshots that cannot be opened nothing at all is in doubt") {
  const SizeBefore closed{.size = {}, .closed = true};
  CHECK(judge_size({}, {0, 0}, closed, k_tree).doubt == Doubt::emptied);
  CHECK(judge_size({}, {0, 0}, closed, k_tree).reason ==
        "it gave no file, and no key at hand opens the snapshot before");
  CHECK(judge_size({}, {1, 0}, closed, std::nullopt).doubt == Doubt::emptied);
  CHECK(judge_size({}, {1, 1}, closed, k_tree).doubt == Doubt::none);
  CHECK(judge_size({.max_drop = {}, .allow_empty = true}, {0, 0}, closed, k_tree).doubt == Doubt::none);
  CHECK_FALSE(judge_size({.max_drop = 0.5}, {0, 0}, closed, k_tree).refusal);
}
