import { openKubeconfig } from "./kubeconfig.ts";
import { poll } from "./poll.ts";

const defaultTimeoutMs = 60_000;

/** Waits until the API server of a kubeconfig answers that it is ready. @throws Error when the time is over. */
export async function waitForApi(
  kubeconfigPath: string,
  timeoutMs = defaultTimeoutMs,
): Promise<void> {
  const api = openKubeconfig(kubeconfigPath);
  try {
    await poll("the API server is ready", () => api.request<string>("GET", "/readyz"), {
      timeoutMs,
    });
  } finally {
    await api.close();
  }
}
