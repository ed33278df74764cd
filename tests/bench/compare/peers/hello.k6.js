// k6's smallest scenario: the request alone.
import http from 'k6/http';

export default function () {
  http.get(__ENV.URL);
}
