/** A pod that runs one Node.js program, given as text. */
export interface ProgramPod {
  readonly name: string;
  readonly image: string;
  readonly program: string;
  readonly env?: Record<string, string>;
  /** TCP port whose opening makes the pod ready. */
  readonly readinessPort?: number;
}

/** The pod's spec, fit for a namespace that enforces Pod Security `restricted`. */
export function connectedPodSpec(pod: ProgramPod): Record<string, unknown> {
  const { name, image, program, env = {}, readinessPort } = pod;
  return {
    terminationGracePeriodSeconds: 1,
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
        resources: { requests: { cpu: "10m", memory: "32Mi" } },
        ...(readinessPort === undefined
          ? {}
          : {
              ports: [{ containerPort: readinessPort }],
              readinessProbe: { tcpSocket: { port: readinessPort }, periodSeconds: 1 },
            }),
      },
    ],
  };
}
