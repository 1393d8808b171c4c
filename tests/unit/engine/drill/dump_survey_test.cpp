#include "engine/drill/dump_survey.hpp"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

const std::string k_postgresql =
    "--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.users (\n    id integer\n);\n\n"
    "CREATE UNIQUE INDEX by_id ON public.users (id);\n\nCOPY public.users (id) FROM stdin;\n1\n2\nCREATE TABLE x "
    "(\n\\.\n\n"
    "--\n-- PostgreSQL database dump complete\n--\n\n";
const std::string k_mysql =
    "-- MySQL dump 10.13\n\nCREATE TABLE `users` (\n  `id` int\n);\nINSERT INTO `users` VALUES (1),(2);\n"
    "-- Dump completed on 2026-11-20\n";
const std::string k_sqlite =
    "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE users(id);\nINSERT INTO users VALUES(1);\n"
    "INSERT INTO users VALUES(2);\nCREATE INDEX by_id ON users(id);\nCOMMIT;\n";

DumpSurvey survey_of(const std::string& text, std::size_t at_once = 1U << 20) {
  DumpSurvey survey{dump_kind(as_bytes(text))};
  for (std::size_t at = 0; at < text.size(); at += at_once) survey.add(std::string_view{text}.substr(at, at_once));
  survey.finish();
  return survey;
}

}  // namespace

TEST_CASE("dump survey: what a dump holds, however it is cut into pieces") {
  for (const std::size_t at_once : {std::size_t{1}, std::size_t{7}, std::size_t{1} << 20}) {
    const auto postgresql = survey_of(k_postgresql, at_once);
    CHECK(postgresql.complete());
    CHECK(postgresql.rows() == std::map<std::string, std::uint64_t>{{"public.users", 3}});
    CHECK(postgresql.elements() == std::set<std::string>{"index by_id", "table public.users"});
    const auto mysql = survey_of(k_mysql, at_once);
    CHECK(mysql.complete());
    CHECK(mysql.rows() == std::map<std::string, std::uint64_t>{{"users", 1}});
    const auto sqlite = survey_of(k_sqlite, at_once);
    CHECK(sqlite.complete());
    CHECK(sqlite.rows() == std::map<std::string, std::uint64_t>{{"users", 2}});
    CHECK(sqlite.elements() == std::set<std::string>{"index by_id", "table users"});
  }
}

TEST_CASE("dump survey: cut anywhere before its last words it is not complete") {
  for (const auto& [text, last] :
       {std::pair{k_postgresql, std::string{"dump complete"}}, std::pair{k_mysql, std::string{"-- Dump completed"}},
        std::pair{k_sqlite, std::string{"COMMIT;"}}}) {
    const auto kind = dump_kind(as_bytes(text));
    for (std::size_t n = 0; n < text.find(last) + last.size(); ++n) {
      DumpSurvey survey{kind};
      survey.add(std::string_view{text}.substr(0, n));
      survey.finish();
      CHECK_FALSE(survey.complete());
    }
    // And with something behind them it is another dump's.
    CHECK_FALSE(survey_of(text + "INSERT INTO users VALUES (9);\n").complete());
  }
}

TEST_CASE("dump survey: kinds, and what is none") {
  CHECK(dump_kind(as_bytes(std::string{"PGDMP\x01"})) == DumpKind::postgresql_custom);
  CHECK(dump_kind(as_bytes(std::string{"-- MariaDB dump 10.19"})) == DumpKind::mysql);
  CHECK(dump_kind(as_bytes(std::string{"hello"})) == DumpKind::none);
  CHECK(dump_kind({}) == DumpKind::none);
}

TEST_CASE("dump survey: a line of any length takes no memory, and names are safe to print") {
  DumpSurvey survey{DumpKind::sqlite};
  survey.add("INSERT INTO \"a\x1b b\" VALUES('");
  for (int i = 0; i < 1000; ++i) survey.add(std::string(10'000, 'x'));
  survey.add("');\nCOMMIT;\n");
  survey.finish();
  CHECK(survey.complete());
  CHECK(survey.rows() == std::map<std::string, std::uint64_t>{{"a\\x1b b", 1}});
}
