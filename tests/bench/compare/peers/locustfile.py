"""Locust's cheapest user, doing nothing but the request."""

from locust import FastHttpUser, task


class Hello(FastHttpUser):
    @task
    def hello(self):
        self.client.get("/hello")
