// An Error of the file utilities is a store's failure where a store used them.
#pragma once

#include "util/error.hpp"

namespace cairn {

// Runs work; an Error(failed) comes out as a StoreError that no retry cures, anything else as it is.
template <class F>
auto as_store_error(F&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const StoreError&) {
    throw;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::failed) throw;
    throw StoreError(ErrorKind::failed, StoreError::Transient::no, error.message(), error.hint());
  }
}

}  // namespace cairn
