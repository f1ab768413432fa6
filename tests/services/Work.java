import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import java.util.zip.*;

public class Work {
    static String sha(byte[] data) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(data));
    }

    static byte[] part(int n) throws Exception {
        var map = new TreeMap<String, List<Integer>>();
        for (int i = 0; i < 20000; i++) map.computeIfAbsent("k" + i * 31L * n % 4099, k -> new ArrayList<>()).add(i);
        var direct = ByteBuffer.allocateDirect(1 << 20); // malloc, by way of Unsafe
        for (var e : map.entrySet()) if (direct.remaining() > 64) direct.putInt(e.getKey().hashCode() ^ e.getValue().hashCode());
        direct.flip();
        var bytes = new byte[direct.remaining()];
        direct.get(bytes);
        var deflater = new Deflater(9); // zlib, in native memory
        deflater.setInput(bytes);
        deflater.finish();
        var packed = new byte[bytes.length + 100];
        int length = deflater.deflate(packed);
        deflater.end();
        var inflater = new Inflater();
        inflater.setInput(packed, 0, length);
        var back = new byte[bytes.length];
        inflater.inflate(back);
        inflater.end();
        if (!Arrays.equals(bytes, back)) throw new IllegalStateException("zlib");
        return back;
    }

    public static void main(String[] args) throws Exception {
        var pool = Executors.newFixedThreadPool(8);
        var parts = new ArrayList<Future<byte[]>>();
        for (int i = 1; i <= 40; i++) {
            int n = i;
            parts.add(pool.submit(() -> part(n)));
        }
        var digest = new StringBuilder();
        for (var p : parts) digest.append(sha(p.get()));
        pool.shutdown();
        System.out.println("parts " + sha(digest.toString().getBytes()));
        System.out.println("sum " + IntStream.range(0, 2_000_000).parallel().mapToLong(i -> (long) i * i % 1013).sum());
        for (int i = 0; i < 500; i++) {
            var t = new Thread(() -> ByteBuffer.allocateDirect(5000));
            t.start();
            t.join();
        }
        System.gc();
        var text = IntStream.range(0, 200000).mapToObj(Integer::toString).collect(Collectors.joining(","));
        System.out.println("text " + sha(text.replaceAll("(\\d)7(\\d)", "$2-$1").getBytes()));
    }
}
