// The facts that layers of a store tell each other of the operation that a thread is in the middle of: the retrying
// decorator which attempt it is, a client what the server answered. Only the trace reads it; nothing is decided by it.
#pragma once

namespace cairn {

struct Exchange {
  unsigned attempt = 1;   // of the operation, from 1 on
  unsigned requests = 0;  // that were sent to a server
  int status = 0;         // of the answer to the last of them; 0: none came, or there is no server
};

// This thread's. An operation takes place on the thread that asked for it.
inline Exchange& this_exchange() noexcept {
  thread_local Exchange exchange;
  return exchange;
}

// While one lives, this thread's exchange may be changed; then it is again what it was. The visitor of a listing may
// use a store itself.
class ExchangeScope {
 public:
  ExchangeScope() noexcept : m_outer(this_exchange()) {}
  ExchangeScope(const ExchangeScope&) = delete;
  ExchangeScope& operator=(const ExchangeScope&) = delete;
  ~ExchangeScope() { this_exchange() = m_outer; }

 private:
  Exchange m_outer;
};

}  // namespace cairn
