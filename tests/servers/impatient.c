// Shortens the time after which a program that uses libcurl gives up a transfer on which nothing comes, so that a test
// of stalls need not wait half a minute for each: LD_PRELOAD=impatient.so with STALL_SECONDS=N. What sets no such time
// still has none.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>

enum { low_speed_time = 20 };  // CURLOPT_LOW_SPEED_TIME, a part of libcurl's binary interface

int curl_easy_setopt(void* handle, int option, ...) {
  static int (*real)(void*, int, ...);
  va_list arguments;
  va_start(arguments, option);
  // An option is a long, a curl_off_t or a pointer: one 64-bit word in each case.
  void* value = va_arg(arguments, void*);
  va_end(arguments);
  if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, "curl_easy_setopt");
  const char* seconds = getenv("STALL_SECONDS");
  if (option == low_speed_time && seconds != NULL) value = (void*)strtol(seconds, NULL, 10);
  return real(handle, option, value);
}
