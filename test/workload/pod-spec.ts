/** A pod that runs one Node.js program, given as text. */
export interface ProgramPod {
  readonly name: string;
  readonly image: string;
  readonly program: string;
  readonly env?: Record<string, string>;
  /** TCP port whose opening makes the pod ready. */
  readonly readinessPort?: number;
  /** Path at that port whose answer, instead of the opening, makes the pod ready. */
  readonly readinessPath?: string;
  /** What the pod gets from SIGTERM to SIGKILL; 1 when absent. */
  readonly graceSeconds?: number;
}

/** The pod's spec, fit for a namespace that enforces Pod Security `restricted`. */
export function connectedPodSpec(pod: ProgramPod): Record<string, unknown> {
  const { name, image, program, env = {}, readinessPort: port, readinessPath: path } = pod;
  return {
    terminationGracePeriodSeconds: pod.graceSeconds ?? 1,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65_532,
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [
      {
        name,
        image,
        imagePullPolicy: "IfNotPresent",
        command: ["/usr/local/bin/node", "-e", program],
        env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        // As a gateway: what measures one must not be what is starved.
        resources: { requests: { cpu: "100m", memory: "32Mi" } },
        ...(port === undefined
          ? {}
          : {
              ports: [{ containerPort: port }],
              readinessProbe: {
                ...(path === undefined
                  ? { tcpSocket: { port } }
                  : { httpGet: { path, port }, failureThreshold: 1 }),
                periodSeconds: 1,
              },
            }),
      },
    ],
  };
}
