"""Images as arrays and tensors: conversion, blending, colours, grids."""
