package recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.ConnectException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

class WorkerKilledTest {
    @RegisterExtension
    final MockKestra kestra = new MockKestra("healthy-cluster", "--rules", "../rules.yml");

    @Test
    void aKilledWorkerIsNoticedAndSoIsItsReturn() throws Exception {
        kestra.ask("POST", "/api/advance", "{\"by\": \"5m\"}");
        assertTrue(kestra.scrape("worker-1").contains("kestra_worker_job_running"));
        var fault = kestra.ask("POST", "/api/faults", "{\"kill\": \"worker-1\", \"for\": \"1h\"}").get("name").asText();
        assertThrows(ConnectException.class, () -> kestra.scrape("worker-1"));
        kestra.ask("POST", "/api/advance", "{\"by\": \"3m\"}");
        var alerts = kestra.ask("GET", "/api/alerts", "").at("/data/alerts");
        assertEquals(List.of("worker-1:8081"), alerts.findValuesAsText("instance"));
        assertEquals(List.of("firing"), alerts.findValuesAsText("state"));
        kestra.ask("DELETE", "/api/faults/" + fault, "");
        kestra.ask("POST", "/api/advance", "{\"by\": \"2m\"}");
        assertEquals(0, kestra.ask("GET", "/api/alerts", "").at("/data/alerts").size());
    }
}
