import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Answers each line "cache workload threads" with the nanoseconds an operation took; see Throughput.swift. */
public final class CaffeineThroughput {
    static final int KEYS = 100_000;
    static final int PICKS = 1 << 20;
    static String[] keys = new String[KEYS];
    static int[] picks = new int[PICKS];
    static final Object VALUE = new Object();
    static volatile Object sink;

    public static void main(String[] arguments) throws Exception {
        int operations = Integer.parseInt(arguments[0]);
        for (int i = 0; i < KEYS; i++) keys[i] = String.format("/api/fields/key-%06d", i);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        String[] numbers = input.readLine().split(" ");
        for (int i = 0; i < PICKS; i++) picks[i] = Integer.parseInt(numbers[i]);
        Cache<String, Object> whole = Caffeine.newBuilder().maximumSize(KEYS).build();
        Cache<String, Object> wholeExpiring =
            Caffeine.newBuilder().maximumSize(KEYS).expireAfterWrite(1, TimeUnit.HOURS).build();
        Cache<String, Object> part = Caffeine.newBuilder().maximumSize(KEYS / 4).build();
        Cache<String, Object> partExpiring =
            Caffeine.newBuilder().maximumSize(KEYS / 4).expireAfterWrite(1, TimeUnit.HOURS).build();
        for (String key : keys) {
            whole.put(key, VALUE);
            wholeExpiring.put(key, VALUE);
        }
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            boolean expires = words[0].equals("expiring");
            Cache<String, Object> cache = words[1].equals("read-through")
                ? (expires ? partExpiring : part) : (expires ? wholeExpiring : whole);
            System.out.println(run(cache, words[1], Integer.parseInt(words[2]), operations));
        }
    }

    static double run(Cache<String, Object> cache, String workload, int threads, int slice) throws Exception {
        int operations = workload.equals("hammer") ? Math.max(1, slice / 20) : slice;
        CountDownLatch ready = new CountDownLatch(threads);
        CountDownLatch start = new CountDownLatch(1);
        CountDownLatch done = new CountDownLatch(threads);
        for (int thread = 0; thread < threads; thread++) {
            int offset = thread * 7919 * 13;
            new Thread(() -> {
                ready.countDown();
                try { start.await(); } catch (InterruptedException e) { return; }
                switch (workload) {
                    case "get": get(cache, offset, operations); break;
                    case "90/10": mixed(cache, offset, operations); break;
                    case "read-through": readThrough(cache, offset, operations); break;
                    default: hammer(cache, operations);
                }
                done.countDown();
            }).start();
        }
        ready.await();
        long begin = System.nanoTime();
        start.countDown();
        done.await();
        return (System.nanoTime() - begin) / ((double) operations * threads);
    }

    static void get(Cache<String, Object> cache, int offset, int operations) {
        Object last = null;
        for (int i = 0; i < operations; i++) last = cache.getIfPresent(keys[picks[(offset + i) & (PICKS - 1)]]);
        sink = last;
    }

    static void mixed(Cache<String, Object> cache, int offset, int operations) {
        Object last = null;
        for (int i = 0; i < operations; i++) {
            String key = keys[picks[(offset + i) & (PICKS - 1)]];
            if (i % 10 == 9) cache.put(key, VALUE); else last = cache.getIfPresent(key);
        }
        sink = last;
    }

    static void readThrough(Cache<String, Object> cache, int offset, int operations) {
        Object last = null;
        for (int i = 0; i < operations; i++) {
            String key = keys[picks[(offset + i) & (PICKS - 1)]];
            last = cache.getIfPresent(key);
            if (last == null) cache.put(key, VALUE);
        }
        sink = last;
    }

    static void hammer(Cache<String, Object> cache, int operations) {
        Object last = null;
        String key = keys[0];
        for (int i = 0; i < operations; i++) last = cache.getIfPresent(key);
        sink = last;
    }
}
