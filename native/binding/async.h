// The only asynchronous worker: runs a function on libuv's thread pool and settles a promise.
#pragma once

#include <napi.h>

#include <string>
#include <type_traits>
#include <utility>

#include "convert.h"

namespace adamw::binding {

/// `work` runs off the JavaScript thread and must not touch JavaScript; `finish` runs on it, before the promise
/// settles, whether work failed or not; what it returns is what the promise resolves to. `self` is kept alive until
/// then.
template <class Work, class Finish>
class Task final : public Napi::AsyncWorker {
 public:
  static Napi::Promise run(Napi::Object self, Work work, Finish finish) {
    auto* const task = new Task(self, std::move(work), std::move(finish));
    task->Queue();
    return task->deferred_.Promise();
  }

 private:
  Task(Napi::Object self, Work work, Finish finish)
      : Napi::AsyncWorker(self.Env()),
        deferred_(Napi::Promise::Deferred::New(self.Env())),
        self_(Napi::Persistent(self)),
        work_(std::move(work)),
        finish_(std::move(finish)) {}

  void Execute() override {
    try {
      work_();
    } catch (const Error& error) {
      code_ = error.code;
      SetError(error.what());
    }
  }
  void OnOK() override {
    if constexpr (std::is_void_v<decltype(finish_())>) {
      finish_();
      deferred_.Resolve(Env().Undefined());
    } else {
      deferred_.Resolve(finish_());
    }
  }
  void OnError(const Napi::Error& error) override {
    finish_();
    deferred_.Reject(to_js(Env(), Error(code_, error.Message())).Value());
  }

  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference self_;
  Work work_;
  Finish finish_;
  const char* code_ = "NATIVE";
};

template <class Work, class Finish>
Napi::Promise run_async(Napi::Object self, Work work, Finish finish) {
  return Task<Work, Finish>::run(self, std::move(work), std::move(finish));
}

}  // namespace adamw::binding
