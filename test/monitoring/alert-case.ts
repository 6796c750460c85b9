/** What an alert sees and when it must fire; times are from the first sample. */
export interface AlertCase {
  readonly alert: string;
  /** Which trait of the alert it shows. */
  readonly when: string;
  /** Between samples, and 15 seconds when absent. */
  readonly interval?: string;
  /** Samples by series, as promtool writes them: `1x3` is four of them, `_` none, `stale` the end. */
  readonly series: Readonly<Record<string, string>>;
  /** Not one of it fires then. */
  readonly quietAt: readonly string[];
  /** Then it fires with these labels and no others, besides its name and severity. */
  readonly fires: { readonly at: string; readonly labels: Readonly<Record<string, string>> };
}

/** Labels that a scrape gives to the series of a replica of the controller. */
function controller(pod: string): string {
  return `namespace="isthmus-system", pod="isthmus-controller-${pod}", job="isthmus-controller"`;
}

/** Labels that a scrape gives to the series of a replica of the gateway. */
export function gateway(pod: string): string {
  return `namespace="isthmus-system", pod="isthmus-gateway-${pod}", job="isthmus-gateway"`;
}

export const A = controller("a");
/** Leads after A. */
export const B = controller("b");
