/** Of the clusters chosen; where series have no such label, of the one there is. */
export const CLUSTER = 'cluster=~"$cluster"';
/** Of the links chosen. */
export const LINK = `${CLUSTER}, link=~"$link"`;
/** As wide as Grafana finds fit for the scrape interval. */
export const RATE = "[$__rate_interval]";
