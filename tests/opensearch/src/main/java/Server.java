import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.opensearch.analysis.common.CommonAnalysisPlugin;
import org.opensearch.common.settings.Settings;
import org.opensearch.http.HttpServerTransport;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

/**
 * One real OpenSearch node in this process, for as long as standard input is open.
 *
 * Arguments: at most one folder, in which the node makes the folder that it works in and removes it at the end (the
 * system's temporary folder where none is named), and any number of settings of the node, as {@code name=value}.
 * Standard output has one line, {@code listening on http://127.0.0.1:PORT}, once HTTP answers.
 */
public final class Server extends Node {
    private static volatile Path home;
    private static volatile Server server;

    /** Only a subclass can hand plugins of the class path to a node. */
    private Server(Settings settings) {
        super(
            InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "test"),
            List.of(Netty4Plugin.class, CommonAnalysisPlugin.class),
            true
        );
    }

    public static void main(String[] arguments) {
        // After a signal and after a failure to start too.
        Runtime.getRuntime().addShutdownHook(new Thread(Server::leave));
        int code = 0;
        try {
            server = new Server(settings(arguments));
            server.start();
            var http = server.injector().getInstance(HttpServerTransport.class).boundAddress().publishAddress();
            System.out.println("listening on http://" + http.getAddress() + ":" + http.getPort());
            while (System.in.read() >= 0) {
                // Nothing is asked over standard input; it only tells that whoever started this is still there.
            }
        } catch (Throwable failed) {
            failed.printStackTrace();
            code = 1;
        }
        // Said, for threads of a node that has half started would keep the process.
        System.exit(code);
    }

    private static Settings settings(String[] arguments) throws Exception {
        Path parent = Path.of(System.getProperty("java.io.tmpdir"));
        Settings.Builder given = Settings.builder();
        for (String argument : arguments) {
            String[] pair = argument.split("=", 2);
            if (pair.length == 2) {
                given.put(pair[0], pair[1]);
            } else {
                parent = Path.of(argument);
            }
        }
        home = Files.createTempDirectory(Files.createDirectories(parent), "opensearch");
        return Settings.builder()
            .put("path.home", home)
            .put("cluster.name", "mock-kestra")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            // Free ones, so that several run side by side.
            .put("http.port", 0)
            .put("transport.port", 0)
            // The disk of a test's machine may be nearly full, and the server would then refuse to write.
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .put(given.build())
            .build();
    }

    private static void leave() {
        try {
            if (server != null) {
                server.close();
                server.awaitClose(10, TimeUnit.SECONDS);
            }
            if (home != null) {
                try (var files = Files.walk(home)) {
                    files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
                }
            }
        } catch (Exception failed) {
            failed.printStackTrace();
        }
    }
}
