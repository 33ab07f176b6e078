// Tells the thread sanitizer of an order that it misses. A continuation that is resumed before its task awaits it hands
// over its result inside the Swift runtime (6.3), which says "acquire" only where the task had to be suspended.
//
// Preloaded by `.ci/run`, this takes the place of `swift_continuation_await`. A task that need not be suspended goes on
// at once, on the same thread, by way of `resumed`, which acquires what `swift_continuation_resume` released. In a process
// without the sanitizer it only passes the call on. Of checked continuations it knows nothing in debug builds, where the
// library makes that call itself; so what hands values between threads uses unsafe ones, which also cost an allocation
// less.
#define _GNU_SOURCE
#include <dlfcn.h>

#define ASYNC __attribute__((swiftasynccall))
#define CONTEXT __attribute__((swift_async_context))

typedef ASYNC void Resume(CONTEXT void *);

// The head of the runtime's `AsyncContext`. `resume` is where a task goes on that is not suspended.
struct Context {
    void *parent;
    Resume *resume;
};

typedef ASYNC void Await(struct Context *);

static void (*acquire)(void *);
static void *(*currentTask)(void);
static Await *await;
static __thread Resume *next;

__attribute__((constructor)) static void find(void) {
    acquire = (void (*)(void *))dlsym(RTLD_DEFAULT, "__tsan_acquire");
    currentTask = (void *(*)(void))dlsym(RTLD_DEFAULT, "swift_task_getCurrent");
    await = (Await *)dlsym(RTLD_NEXT, "swift_continuation_await");
}

static ASYNC void resumed(CONTEXT void *context) {
    Resume *resume = next;
    acquire(currentTask());
    return resume(context);
}

ASYNC void swift_continuation_await(struct Context *context) {
    if (acquire) {
        next = context->resume;
        context->resume = resumed;
    }
    return await(context);
}
