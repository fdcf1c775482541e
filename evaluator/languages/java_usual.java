// Compiled once a machine, so that the classes that the compiler then needs are kept: see java.py.
import java.util.*;
import java.util.stream.*;
import org.javatuples.*;
class Usual {
    record Entry(String name, long count) {}
    interface Rule { boolean holds(Entry entry); }
    static class Failure extends RuntimeException { Failure(String message) { super(message); } }
    static <T extends Comparable<T>> Optional<T> largest(List<T> items) { return items.stream().max(Comparator.naturalOrder()); }
    public static ArrayList<Pair<Long, String>> usual(HashMap<String, Long> given, int... more) throws Exception {
        ArrayList<Pair<Long, String>> found = new ArrayList<>();
        for (Map.Entry<String, Long> entry : given.entrySet()) found.add(Pair.with(entry.getValue(), entry.getKey() + 1));
        Rule rule = entry -> entry.count() > 0 && !entry.name().isEmpty();
        try { if (!rule.holds(new Entry("a", more.length))) throw new Failure("none"); } catch (Failure e) { found.clear(); }
        switch (more.length % 3) { case 0: found.add(null); break; default: found.remove(0); }
        return found.stream().filter(Objects::nonNull).sorted().collect(Collectors.toCollection(ArrayList::new));
    }
    public static void main(String[] args) throws Throwable {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 3; i++) text.append((char) ('a' + i)).append(i % 2 == 0 ? "x" : 1.5);
        assert usual(new HashMap<>(), 1, 2).equals(new ArrayList<Long>(Arrays.asList((long) 1l))) == false : text;
    }
}
