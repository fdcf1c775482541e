"""Limits and budgets, kept in Valkey and so exact across workers and replicas."""
